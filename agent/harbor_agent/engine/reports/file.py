"""Reports that other machines wrote with -o json."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.reports.part import KINDS, decode_part
from harbor_agent.errors import Problem, UsageError
from harbor_agent.local.files import describe_error

# Reports are decoded by these types, so they must be there at run time.
from harbor_agent.model.inventory import NodeSet, Shard  # noqa: TC001
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome, Proof, Step, StepTime  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.reports.part import PartFile

SCHEMA = "harbor-agent/run/2"
_AGAIN = "write the report again with -o json > FILE; if the command was killed, run it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What every document has, and what an error has."""

    schema: str
    kind: str | None = None
    fleet: object = ""
    error: _Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReportedStep:
    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedNode:
    """The result of a node as the document has it."""

    node: str
    outcome: Outcome
    action: Action = Action.NONE
    transaction: str | None = None
    verified: bool | None = None
    proof: Proof | None = None
    logged_in: bool | None = None
    code: str | None = None
    reason: str = ""
    hint: str | None = None
    seconds: float = 0.0
    steps: tuple[_ReportedStep, ...] = ()

    def build_result(self) -> NodeResult:
        """Return it as the result of a run on this machine."""
        problem = Problem(code=self.code, message=self.reason, hint=self.hint or "") if self.code else None
        return NodeResult(
            node=self.node,
            outcome=self.outcome,
            action=self.action,
            transaction=self.transaction,
            verified=self.verified,
            proof=self.proof,
            logged_in=self.logged_in,
            reason=self.reason,
            problem=problem,
            seconds=self.seconds,
            steps=tuple(
                StepTime(step=Step[one.step.upper()], seconds=one.seconds)
                for one in self.steps
                if one.step.upper() in Step.__members__  # another version may know more
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryState:
    """A registry by its URL, and whether the nodes should have it."""

    url: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """The report of a run as its document has it; `path` is the file, `secret` and `dns` are JSON."""

    path: str = ""
    tool: str
    run_id: str
    kind: str
    ended: str
    exit_code: int
    note: str
    registries: tuple[RegistryState, ...]
    inventory: NodeSet | None
    fleet: NodeSet | None
    shard: Shard | None
    after: str | None
    nodes: tuple[ReportedNode, ...]
    halted: str | None
    secret: dict[str, object] | None
    dns: dict[str, object] | None
    warnings: tuple[_Problem, ...]
    rolls_back: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes of the run."""
        return tuple(node.node for node in self.nodes)

    def list_warnings(self) -> Sequence[Problem]:
        """Return the warnings about the run as a whole."""
        return [Problem(code=one.code, message=one.message, hint=one.hint) for one in self.warnings]


def read_run_file(path: str) -> RunFile:
    """Read the report of a run. Raises UsageError `report-unreadable`, which says what the file is instead."""
    found = _read(path, (SCHEMA,))
    assert isinstance(found, RunFile)  # noqa: S101 - its schema says so
    return found


def read_report_file(path: str) -> RunFile | PartFile:
    """Read the report of a run, a plan or a drift check. Raises UsageError `report-unreadable`."""
    return _read(path, (SCHEMA, *KINDS))


def _read(path: str, schemas: Sequence[str]) -> RunFile | PartFile:
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _build_error(f"cannot read {path}: {describe_error(error)}") from None
    try:
        head = msgspec.json.decode(content, type=_Head)
        if problem := _find_objection(path, head, schemas):
            raise _build_error(problem)
        if head.schema in KINDS:
            return decode_part(path, content)
        return replace(msgspec.json.decode(content, type=RunFile), path=path)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        is_cut = not content.rstrip().endswith(b"}")
        reason = "it is empty" if not content.strip() else f"it is cut off ({error})" if is_cut else str(error)
        raise _build_error(f"{path} is not the report of a run: {reason}") from None


def _find_objection(path: str, head: _Head, schemas: Sequence[str]) -> str | None:
    if head.error:
        return f"{path} is not the report of a run, but of its early end: {head.error.message}"
    if head.schema not in schemas:
        return f"{path} is not the report of a run: its schema is {head.schema}, not {' or '.join(schemas)}"
    # A shard of null is a run of all nodes; without the member, the version knew none.
    is_old = head.kind is None if head.schema == SCHEMA else head.fleet == ""
    return f"{path} was written by an older version of harbor-agent, which knows no shards" if is_old else None


def _build_error(message: str) -> UsageError:
    return UsageError.of("report-unreadable", message, _AGAIN)

"""Plan files: what was planned, to be looked at, approved, and applied later, or refused if it is no longer so.

A plan file holds what was asked for and hashes of what was planned, never the content of a file and no password.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.plan.nodes import refused
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.engine.request.request import RunRequest  # noqa: TC001 - plan files are decoded by this type
from harbor_agent.errors import UsageError
from harbor_agent.local.clock import Moment
from harbor_agent.local.files import replace_file
from harbor_agent.planning.config.digest import policy_digest, request_digest
from harbor_agent.planning.rollout.approval import Approval, build_approval, check_approval  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan

SCHEMA = "harbor-agent/plan-file/2"
_OLDER = frozenset({"harbor-agent/plan-file/1"})
_SECONDS_PER_HOUR = 3600
_MAKE_ONE = "harbor-agent plan --out FILE makes one"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The one member that every version has."""

    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that may be approved. `created_at` (ISO 8601, UTC) is for people; its age is counted from `clock`."""

    schema: str = SCHEMA
    tool: str = f"harbor-agent {__version__}"
    created_at: str
    clock: Moment
    valid_hours: float
    request_digest: str
    request: RunRequest
    nodes: tuple[Approval, ...]


def make_plan(request: RunRequest, nodes: Sequence[PlannedNode], *, request_digest: str, hours: float) -> PlanFile:
    """Return the plan file of these plans, made now and good for `hours`. It holds no password."""
    now = Moment.now()
    return PlanFile(
        created_at=datetime.fromtimestamp(now.unix_time, UTC).isoformat(timespec="seconds"),
        clock=now,
        valid_hours=hours,
        request_digest=request_digest,
        request=to_keep(request),
        nodes=tuple(_approvals(nodes)),
    )


def to_keep(request: RunRequest) -> RunRequest:
    """Return what was asked for as it may be written down: without the password, and good in any directory.

    Raises UsageError where no inventory is named and there is no other.
    """
    return replace(
        request,
        selection=request.selection if request.root else request.selection.make_absolute(),
        flags=replace(request.flags, password=None),
        config=_absolute(request.config) if request.config else None,
    )


def save_plan(path: str, plan: PlanFile) -> None:
    """Write the file (0600), replacing what was there. Raises UsageError where that is not possible."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        content = msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"
    except UnicodeEncodeError:
        message = f"{path}: the path of the inventory or the settings is not UTF-8, so no plan file can name it"
        raise UsageError.of("plan-file-unwritable", message, "give them another name") from None
    try:
        replace_file(path, content, mode=0o600)
    except OSError as error:
        raise UsageError.of("plan-file-unwritable", f"{path}: {error.strerror}", "choose another --out") from None


def load_plan(path: str) -> PlanFile:
    """Read a plan file.

    Raises UsageError if there is none (`plan-file-missing`), or if it is something else or was made by an older
    version (`plan-file-invalid`).
    """
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        content = Path(path).read_bytes()
        schema = msgspec.json.decode(content, type=_Document).schema
        if schema in _OLDER:
            message = f"{path} was made by an older version of harbor-agent ({schema})"
            raise UsageError.of("plan-file-invalid", message, "plan again, and look at the new plan")
        if schema != SCHEMA:
            message = f"{path} is not a plan file: its schema is {schema}, not {SCHEMA}"
            raise UsageError.of("plan-file-invalid", message, _MAKE_ONE)
        return msgspec.json.decode(content, type=PlanFile)
    except OSError as error:
        raise UsageError.of("plan-file-missing", f"{path}: {error.strerror}", _MAKE_ONE) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError.of("plan-file-invalid", f"{path} is not a plan file: {error}", _MAKE_ONE) from None


def require_fresh(path: str, plan: PlanFile, now: Moment) -> None:
    """Raise UsageError where the plan has expired."""
    hours = now.seconds_since(plan.clock) / _SECONDS_PER_HOUR
    if hours > plan.valid_hours:
        message = f"{path} was made {hours:.1f} hours ago and was good for {plan.valid_hours:g}"
        raise UsageError.of("plan-expired", message, "plan again; --valid-hours sets how long a plan is good for")


def enforce_approval(plan: PlanFile, nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
    """Return the fresh plans with every node refused that is not just as it was approved."""
    approved = {approval.node: approval for approval in plan.nodes}
    return [
        refused(node, problem) if (problem := check_approval(now, approved)) else node
        for node, now in zip(nodes, _approvals(nodes), strict=True)
    ]


def _approvals(nodes: Sequence[PlannedNode]) -> list[Approval]:
    return [build_approval(p.node.name, p.outcome, p.decision, policy_digest(p.policy)) for p in nodes]


def _absolute(source: str) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else source


def save_run(run_plan: RunPlan, path: str, *, hours: float) -> None:
    """Write what was planned to a plan file. Raises UsageError where that is not possible."""
    save_plan(path, make_plan(run_plan.request, run_plan.nodes, request_digest=_wish(run_plan), hours=hours))


def approved_run(path: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Plan again what a plan file holds, and refuse every node that is no longer just as it was approved.

    Of `overrides` only the password and the note count. Raises UsageError where the file is no plan, has expired,
    or the settings have changed since.
    """
    plan = load_plan(path)
    require_fresh(path, plan, Moment.now())
    flags = replace(plan.request.flags, password=overrides.flags.password)
    request = replace(plan.request, flags=flags, note=overrides.note or plan.request.note)
    run_plan = plan_run(request, listener)
    if _wish(run_plan) != plan.request_digest:
        message = f"the settings have changed since {path} was made"
        raise UsageError.of("plan-stale", message, "plan again, and look at the new plan")
    return replace(run_plan, nodes=tuple(enforce_approval(plan, run_plan.nodes)))


def _wish(run_plan: RunPlan) -> str:
    return request_digest(run_plan.general, repair=run_plan.request.repair)

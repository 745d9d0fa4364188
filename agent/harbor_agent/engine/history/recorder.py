"""Records a run in the history while it is under way. An unusable history is reported and never stops the run."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.plan.file import make_storable
from harbor_agent.engine.request.config_file import find_configuration_file
from harbor_agent.engine.request.request import encode_request
from harbor_agent.errors import AgentError, ExitCode, Problem
from harbor_agent.formats.redact import mask_text
from harbor_agent.local.user import describe_user
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastConfigMap, PastNode, PastRun
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.dns.record import ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.events import Event, Listener
    from harbor_agent.engine.history.runs import Store
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.model.result import NodeResult
    from harbor_agent.model.runs import RunKind

_OPEN = frozenset({Outcome.PENDING, Outcome.UNCHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """A run at its start. `dns`, `resumes` and `rolls_back` are those of `RunPlan`."""

    run_id: str
    kind: RunKind
    request: RunRequest
    nodes: Sequence[PlannedNode]
    dns: DnsReport | None = None
    resumes: str | None = None
    rolls_back: str | None = None


class Recorder:
    """A listener that records the result of each node and passes every event on. The history never makes it raise."""

    def __init__(self, start: RunStart, listener: Listener) -> None:
        """Record the start of the run."""
        self.warnings: tuple[Problem, ...] = ()
        self._run_id = start.run_id
        self._digests = {planned.node.name: policy_digest(planned.policy) for planned in start.nodes}
        self._listener = listener
        self._waiting: list[NodeResult] = []
        self._store: Store | None = None
        with self._give_up_on_error():
            # SQLite is not needed by commands that change nothing.
            from harbor_agent.engine.history.runs import Store  # noqa: PLC0415

            self._store = Store()
            self.warnings = (self._store.moved_aside,) if self._store.moved_aside else ()
            self._store.add_run(_build_run(start))

    def __call__(self, event: Event) -> None:
        """Record the result of a node, and pass the event on.

        Unchanged nodes are recorded with the next changed one, or at the end: one commit for all of them.
        """
        if isinstance(event, NodeFinished):
            self._waiting.append(event.result)
            if event.result.outcome is not Outcome.UNCHANGED:
                self._write(())
        self._listener(event)

    def record_dns(self, report: DnsReport | None) -> None:
        """Record what happened in the cluster's DNS."""
        if self._store is None or report is None:
            return
        with self._give_up_on_error():
            self._store.write_config_maps(self._run_id, _build_config_maps(report))

    def end(self, results: Sequence[NodeResult], exit_code: ExitCode, halted: str | None) -> None:
        """Record the end of the run, with the nodes that had no event."""
        self._write(results)
        if self._store is None:
            return
        with self._give_up_on_error():
            self._store.finish_run(self._run_id, exit_code=int(exit_code), halted=_mask(halted) if halted else None)

    def close(self) -> None:
        """Close the history."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _write(self, results: Sequence[NodeResult]) -> None:
        ended = {result.node: result for result in (*self._waiting, *results)}
        self._waiting = []
        if self._store is None or not ended:
            return
        with self._give_up_on_error():
            self._store.write_nodes(
                self._run_id, [_build_finished_node(r, self._digests.get(n, "")) for n, r in ended.items()]
            )

    @contextmanager
    def _give_up_on_error(self) -> Iterator[None]:
        try:
            yield
        except AgentError as error:
            self._give_up(error.problem)
        except UnicodeError:  # neither JSON nor SQLite can hold a path with bytes that are not UTF-8
            self._give_up(
                Problem(
                    code="history-unusable",
                    message="cannot record this run in the history: a path or name is not UTF-8",
                    hint="rename the file or directory; nothing on the nodes depends on the history",
                )
            )

    def _give_up(self, problem: Problem) -> None:
        self.warnings = (*self.warnings, problem)
        self.close()


@contextmanager
def record_run(start: RunStart, listener: Listener) -> Iterator[Recorder]:
    """Record a run while the block runs, and its end if an exception ends the block."""
    recorder = Recorder(start, listener)
    try:
        yield recorder
    except AgentError as error:
        recorder.end((), error.exit_code, error.problem.message)
        raise
    except KeyboardInterrupt:
        recorder.end((), ExitCode.INTERRUPTED, "interrupted; nodes that had begun finish on their own")
        raise
    except Exception:
        recorder.end((), ExitCode.BUG, "harbor-agent crashed")
        raise
    finally:
        recorder.close()


def _build_run(start: RunStart) -> PastRun:
    config = find_configuration_file(start.request.config)
    with_config = replace(start.request, config=str(config) if config else None)
    # A run without nodes has no inventory, and none to make absolute.
    kept = make_storable(with_config) if start.nodes else with_config
    return PastRun(
        run_id=start.run_id,
        kind=start.kind,
        tool=f"harbor-agent {__version__}",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        who=describe_user(),
        options=encode_request(kept),
        config=str(config) if config else "",
        config_digest=_digest_file(config) if config else "",
        note=_mask(start.request.note),
        resumes=start.resumes,
        rolls_back=start.rolls_back,
        nodes=tuple(_build_planned_node(planned) for planned in start.nodes),
        config_maps=_build_config_maps(start.dns) if start.dns else (),
    )


def _build_config_maps(report: DnsReport) -> tuple[PastConfigMap, ...]:
    return tuple(
        PastConfigMap(
            server=server.name,
            namespace=change.before.namespace,
            name=change.before.name,
            before=change.before_hash,
            after=change.after_hash,
            record_before=change.before.annotations.get(ANNOTATION, ""),
            record_after=change.after.annotations.get(ANNOTATION, "") if change.after else "",
            outcome=None if server.outcome is Outcome.PENDING else server.outcome,
            cluster=report.cluster,
        )
        for server in report.servers
        for change in server.plan.changes
    )


def _digest_file(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _build_planned_node(planned: PlannedNode) -> PastNode:
    open_ = planned.outcome in _OPEN
    return PastNode(
        node=planned.node.name,
        policy_digest=policy_digest(planned.policy),
        outcome=None if open_ else planned.outcome,
        code=planned.problem.code if planned.problem else None,
        reason="" if open_ else _mask(planned.reason),
        seconds=planned.seconds,
    )


def _build_finished_node(result: NodeResult, digest: str) -> PastNode:
    return PastNode(
        node=result.node,
        policy_digest=digest,
        outcome=result.outcome,
        action=result.action.value,
        transaction=result.transaction,
        verified=result.verified,
        code=result.problem.code if result.problem else None,
        reason=_mask(result.reason),
        seconds=round(result.seconds, 3),
    )


def _mask(text: str) -> str:
    return mask_text(text.encode(errors="backslashreplace"))

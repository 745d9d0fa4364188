"""A run as it is written down while it goes on. That it cannot be written down is told, and stops nothing."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.plan.file import make_storable
from harbor_agent.engine.request.config_file import configuration_file
from harbor_agent.engine.request.request import encode_request
from harbor_agent.errors import AgentError, ExitCode, Problem
from harbor_agent.formats.redact import mask_text
from harbor_agent.local.user import user_name
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun
from harbor_agent.planning.config.digest import policy_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harbor_agent.engine.events import Event, Listener
    from harbor_agent.engine.history.runs import Store
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.model.result import NodeResult
    from harbor_agent.model.runs import RunKind

_OPEN = frozenset({Outcome.PENDING, Outcome.UNCHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is known of a run when it begins."""

    run_id: str
    kind: RunKind
    request: RunRequest
    nodes: Sequence[PlannedNode]
    resumes: str | None = None
    rolls_back: str | None = None


class Recorder:
    """Passes events on, and writes down what becomes of each node as it comes. Never raises for the history's sake."""

    def __init__(self, start: Start, listener: Listener) -> None:
        """Write down that the run begins."""
        self.warnings: tuple[Problem, ...] = ()
        self._run_id = start.run_id
        self._digests = {planned.node.name: policy_digest(planned.policy) for planned in start.nodes}
        self._listener = listener
        self._waiting: list[NodeResult] = []
        self._store: Store | None = None
        with self._given_up_in_trouble():
            # SQLite is not needed by commands that change nothing.
            from harbor_agent.engine.history.runs import Store  # noqa: PLC0415

            self._store = Store()
            self.warnings = (self._store.moved_aside,) if self._store.moved_aside else ()
            self._store.add_run(_begun(start))

    def __call__(self, event: Event) -> None:
        """Write down a node's end, and pass the event on.

        Nodes without a change wait for the next that was changed, or for the end: one commit for all of them.
        """
        if isinstance(event, NodeFinished):
            self._waiting.append(event.result)
            if event.result.outcome is not Outcome.UNCHANGED:
                self._write(())
        self._listener(event)

    def end(self, results: Sequence[NodeResult], exit_code: ExitCode, halted: str | None) -> None:
        """Write down how the run ended, with the nodes that no event told of."""
        self._write(results)
        if self._store is None:
            return
        with self._given_up_in_trouble():
            self._store.end_run(self._run_id, exit_code=int(exit_code), halted=_shown(halted) if halted else None)

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
        with self._given_up_in_trouble():
            self._store.write_nodes(self._run_id, [_past(r, self._digests.get(n, "")) for n, r in ended.items()])

    @contextmanager
    def _given_up_in_trouble(self) -> Iterator[None]:
        try:
            yield
        except AgentError as error:
            self._give_up(error.problem)
        except UnicodeError:  # neither JSON nor SQLite can hold a path with bytes that are not UTF-8
            self._give_up(
                Problem(
                    code="history-unusable",
                    message="a path or name of this run is not UTF-8, so the run is not written down",
                    hint="nothing on the nodes depends on it; rename the folder or file to have the next one in it",
                )
            )

    def _give_up(self, problem: Problem) -> None:
        self.warnings = (*self.warnings, problem)
        self.close()


@contextmanager
def recorded(start: Start, listener: Listener) -> Iterator[Recorder]:
    """Write a run down while the block lasts, and how it ended where an exception ends it."""
    recorder = Recorder(start, listener)
    try:
        yield recorder
    except AgentError as error:
        recorder.end((), error.exit_code, error.problem.message)
        raise
    except KeyboardInterrupt:
        recorder.end((), ExitCode.INTERRUPTED, "it was left at once; nodes that had begun finish by themselves")
        raise
    except Exception:
        recorder.end((), ExitCode.BUG, "it met a bug of harbor-agent")
        raise
    finally:
        recorder.close()


def _begun(start: Start) -> PastRun:
    config = configuration_file(start.request.config)
    kept = make_storable(replace(start.request, config=str(config) if config else None))
    return PastRun(
        run_id=start.run_id,
        kind=start.kind,
        tool=f"harbor-agent {__version__}",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        who=_who(),
        options=encode_request(kept),
        config=str(config) if config else "",
        config_digest=_digest(config) if config else "",
        note=_shown(start.request.note),
        resumes=start.resumes,
        rolls_back=start.rolls_back,
        nodes=tuple(_planned(planned) for planned in start.nodes),
    )


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _planned(planned: PlannedNode) -> PastNode:
    open_ = planned.outcome in _OPEN
    return PastNode(
        node=planned.node.name,
        policy_digest=policy_digest(planned.policy),
        outcome=None if open_ else planned.outcome,
        code=planned.problem.code if planned.problem else None,
        reason="" if open_ else _shown(planned.reason),
        seconds=planned.seconds,
    )


def _past(result: NodeResult, digest: str) -> PastNode:
    return PastNode(
        node=result.node,
        policy_digest=digest,
        outcome=result.outcome,
        action=result.action.value,
        transaction=result.transaction,
        verified=result.verified,
        code=result.problem.code if result.problem else None,
        reason=_shown(result.reason),
        seconds=round(result.seconds, 3),
    )


def _shown(text: str) -> str:
    return mask_text(text.encode(errors="backslashreplace"))


def _who() -> str:
    user = user_name()
    behind = os.environ.get("SUDO_USER")
    name = f"{behind} as {user}" if behind and behind != user else user
    return f"{name}@{socket.gethostname()}"

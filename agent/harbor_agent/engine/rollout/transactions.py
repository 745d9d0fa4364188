"""Carry plans to nodes and bring back what became of them, also when the connection is lost on the way."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.rollout.stop import StopAskedError
from harbor_agent.errors import Problem
from harbor_agent.model.result import Outcome, TransactionPhase
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, Lost, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.result import TransactionReport
    from harbor_agent.model.state import Record
    from harbor_agent.transport.protocol import Completed, Transport

_STATUS_TIMEOUT = 20.0
_ASK_EVERY = 2.0
_TELL_EVERY = 10.0
_NAMED_AT_MOST = 5

_OUTCOMES = {
    TransactionPhase.COMMITTED: Outcome.CHANGED,
    TransactionPhase.ROLLED_BACK: Outcome.ROLLED_BACK,
    TransactionPhase.ROLLBACK_FAILED: Outcome.ROLLBACK_FAILED,
    TransactionPhase.REFUSED: Outcome.REFUSED,
    TransactionPhase.RUNNING: Outcome.UNKNOWN,
    TransactionPhase.NONE: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How transactions are followed from here: whom to tell, and when to stop asking what became of them.

    `health_deadline` is how many seconds a daemon has to be well. A transaction may need them twice, for the change
    and for the way back; so long a node is asked whose connection was lost.
    """

    health_deadline: int
    listener: Listener
    stop: StopRequest

    @property
    def timeout(self) -> float:
        """Seconds for a whole transaction, connecting included."""
        return self.health_deadline * 2 + 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """What became of one node's transaction."""

    node: Node
    outcome: Outcome
    report: TransactionReport | None = None
    problem: Problem | None = None
    seconds: float = 0.0


def begin(
    transport: Transport, plans: Sequence[tuple[Node, Plan, Record]], transaction: str, following: Following
) -> Iterator[TransactionResult]:
    """Begin the transactions and yield each node's end as it comes; a lost connection is followed up by asking.

    The node carries its transaction out by itself: `UNKNOWN` only where it could not be asked any more.
    """
    deadline = float(following.health_deadline)
    jobs = [
        Job(
            node=node,
            program=wire.begin_program(
                plan, transaction=transaction, record=wire.encode_record(record), deadline=deadline
            ),
            timeout=following.timeout,
        )
        for node, plan, record in plans
    ]
    return _carry_out(transport, jobs, transaction, following)


def roll_back(
    transport: Transport, nodes: Sequence[Node], transaction: str, following: Following
) -> Iterator[TransactionResult]:
    """Undo a committed transaction on these nodes; yields as `begin` does."""
    program = wire.rollback_program(transaction)
    jobs = [Job(node=node, program=program, timeout=following.timeout) for node in nodes]
    return _carry_out(transport, jobs, transaction, following)


def _carry_out(
    transport: Transport, jobs: Sequence[Job], transaction: str, following: Following
) -> Iterator[TransactionResult]:
    open_: dict[str, TransactionResult] = {}
    for result in transport.run(jobs):
        transacted = _transacted(result)
        # Also of one that answers while it goes down: its next boot ends what was begun.
        if transacted.outcome is Outcome.UNKNOWN or (isinstance(result, Lost) and result.started):
            open_[transacted.node.name] = transacted
        else:
            yield transacted
    if open_:
        yield from _resolve(transport, open_, transaction, following)


def _resolve(
    transport: Transport, open_: dict[str, TransactionResult], transaction: str, following: Following
) -> Iterator[TransactionResult]:
    """Ask nodes whose end was not seen until each has ended, the time is up, or the run is asked to stop."""
    last_heard: dict[str, TransactionResult] = {}
    program = wire.status_program(transaction)
    told, pause = time.monotonic(), 0.0
    end = told + following.health_deadline * 2
    following.listener(Message(text=f"{_names(open_)}: the end of the change was not seen, asking how it ended"))
    while open_ and not following.stop() and (left := end - time.monotonic()) > 0:
        if time.monotonic() - told >= _TELL_EVERY:
            told = time.monotonic()
            following.listener(Message(text=f"{_names(open_)}: no answer yet, asking for another {left:.0f} s"))
        jobs = [Job(node=begun.node, program=program, timeout=_STATUS_TIMEOUT) for begun in open_.values()]
        for heard in map(_transacted, _ask(transport, jobs, following.stop, after=pause)):
            if heard.report is not None and _has_ended(heard.report, last_heard.get(heard.node.name)):
                del open_[heard.node.name]
                yield heard
            elif heard.report is not None:
                last_heard[heard.node.name] = heard
        pause = _ASK_EVERY
    yield from (_unresolved(begun, last_heard.get(name)) for name, begun in open_.items())


def _ask(transport: Transport, jobs: Sequence[Job], stop: StopRequest, *, after: float) -> list[Completed | Lost]:
    """Ask all, `after` a pause. Where the run is asked to stop meanwhile, what has come is returned at once."""
    answers: list[Completed | Lost] = []
    with contextlib.suppress(StopAskedError), stop.waiting():
        time.sleep(after)
        for answer in transport.run(jobs):
            answers.append(answer)  # noqa: PERF402 - not lost when waiting is broken off
    return answers


def _has_ended(report: TransactionReport, before: TransactionResult | None) -> bool:
    """Whether there is no more to come. Knowing nothing counts the second time: the program may be on its way in."""
    if report.phase is TransactionPhase.NONE:
        return before is not None
    return report.phase is not TransactionPhase.RUNNING


def _unresolved(begun: TransactionResult, last_heard: TransactionResult | None) -> TransactionResult:
    lost = begun.problem.message if begun.problem else "its end was not seen"
    if last_heard is not None and last_heard.problem is not None:
        found = f"what the node said last: {last_heard.problem.message}"
    else:
        found = "the node finishes by itself and could not be asked since"
    problem = Problem(
        code="transaction-unknown",
        message=f"{lost}; {found}",
        hint="run the same command again: it looks at the node first",
    )
    return TransactionResult(node=begun.node, outcome=Outcome.UNKNOWN, problem=problem, seconds=begun.seconds)


def _names(nodes: Iterable[str]) -> str:
    names = sorted(nodes)
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _transacted(result: Completed | Lost) -> TransactionResult:
    node = result.job.node
    report = decode_answer(result, wire.decode_report)
    if isinstance(report, Problem):
        outcome = Outcome.UNREACHABLE if isinstance(result, Lost) else Outcome.UNKNOWN
        return TransactionResult(node=node, outcome=outcome, problem=report, seconds=result.seconds)
    return TransactionResult(
        node=node,
        outcome=_OUTCOMES[report.phase],
        report=report,
        problem=_problem(report),
        seconds=result.seconds,
    )


_WORDS = {
    TransactionPhase.ROLLED_BACK: (
        "the change failed and was taken back",
        "the node runs as before; harbor-agent explain {code} says what to do about the reason",
    ),
    TransactionPhase.ROLLBACK_FAILED: (
        "the change failed and so did taking it back",
        "the node needs a person: harbor-agent explain rollback-failed",
    ),
    TransactionPhase.REFUSED: (
        "the node refused before anything was changed",
        "harbor-agent explain {code} says what to do about the reason; then plan again",
    ),
    TransactionPhase.RUNNING: (
        "the transaction is still running",
        "run the same command again in a minute: it looks at the node first",
    ),
    TransactionPhase.NONE: ("the node knows nothing of the transaction, so nothing was changed", "run it again"),
}


def _problem(report: TransactionReport) -> Problem | None:
    if report.phase is TransactionPhase.COMMITTED:
        return None
    message, hint = _WORDS[report.phase]
    detail = f": {report.detail}" if report.detail else ""
    code = report.code or report.phase.value.replace("_", "-")
    return Problem(code=code, message=message + detail, hint=hint.format(code=code))

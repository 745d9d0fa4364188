"""Carry plans to nodes and bring back what became of them, also when the connection is lost on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError, Problem
from agent.model.result import Outcome, TransactionPhase
from agent.node import wire
from agent.transport.protocol import Completed, Job, Lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.model.inventory import Node
    from agent.model.plan import Plan
    from agent.model.result import TransactionReport
    from agent.model.state import Record
    from agent.transport.protocol import Transport

HEALTH_DEADLINE = 120.0
_BEGIN_TIMEOUT = HEALTH_DEADLINE * 2 + 60
_STATUS_TIMEOUT = 20.0
_RESOLVE_FOR = HEALTH_DEADLINE * 2
_RESOLVE_EVERY = 2.0

_OUTCOMES = {
    TransactionPhase.COMMITTED: Outcome.CHANGED,
    TransactionPhase.ROLLED_BACK: Outcome.ROLLED_BACK,
    TransactionPhase.ROLLBACK_FAILED: Outcome.ROLLBACK_FAILED,
    TransactionPhase.REFUSED: Outcome.REFUSED,
    TransactionPhase.RUNNING: Outcome.UNKNOWN,
    TransactionPhase.NONE: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transacted:
    """What became of one node's transaction."""

    node: Node
    outcome: Outcome
    report: TransactionReport | None = None
    problem: Problem | None = None
    seconds: float = 0.0


def begin(transport: Transport, plans: Sequence[tuple[Node, Plan, Record]], transaction: str) -> Iterator[Transacted]:
    """Begin the transactions and yield each node's end as it comes; a lost connection is followed up by asking.

    The node carries its transaction out by itself: `UNKNOWN` only where it could not be asked any more.
    """
    jobs = [
        Job(
            node=node,
            program=wire.begin_program(
                plan, transaction=transaction, record=wire.encode_record(record), deadline=HEALTH_DEADLINE
            ),
            timeout=_BEGIN_TIMEOUT,
        )
        for node, plan, record in plans
    ]
    return _carry_out(transport, jobs, transaction)


def roll_back(transport: Transport, nodes: Sequence[Node], transaction: str) -> Iterator[Transacted]:
    """Undo a committed transaction on these nodes; yields as `begin` does."""
    program = wire.rollback_program(transaction)
    jobs = [Job(node=node, program=program, timeout=_BEGIN_TIMEOUT) for node in nodes]
    return _carry_out(transport, jobs, transaction)


def _carry_out(transport: Transport, jobs: Sequence[Job], transaction: str) -> Iterator[Transacted]:
    lost: list[Lost] = []
    for result in transport.run(jobs):
        if isinstance(result, Lost) and result.started:
            lost.append(result)
        else:
            yield _transacted(result)
    yield from _resolve(transport, lost, transaction)


def _resolve(transport: Transport, lost: Sequence[Lost], transaction: str) -> Iterator[Transacted]:
    """Ask the nodes whose connection broke until each has ended or its time is up.

    A node that knows nothing of the transaction is asked once more: the program may still be on its way in.
    """
    open_ = {result.job.node.name: result for result in lost}
    deadline = time.monotonic() + _RESOLVE_FOR
    program = wire.status_program(transaction)
    knew_nothing: set[str] = set()
    while open_ and time.monotonic() < deadline:
        jobs = [Job(node=result.job.node, program=program, timeout=_STATUS_TIMEOUT) for result in open_.values()]
        for answer in transport.run(jobs):
            transacted = _transacted(answer)
            name = answer.job.node.name
            if transacted.report and transacted.report.phase is TransactionPhase.NONE and name not in knew_nothing:
                knew_nothing.add(name)
            elif isinstance(answer, Completed) and transacted.outcome is not Outcome.UNKNOWN:
                del open_[name]
                yield transacted
        if open_:
            time.sleep(min(_RESOLVE_EVERY, max(0.0, deadline - time.monotonic())))
    for result in open_.values():
        problem = Problem(
            code="transaction-unknown",
            message=f"{result.problem.message}; the node finishes by itself and could not be asked since",
            hint="run the same command again: it looks at the node first",
        )
        yield Transacted(node=result.job.node, outcome=Outcome.UNKNOWN, problem=problem, seconds=result.seconds)


def _transacted(result: Completed | Lost) -> Transacted:
    node = result.job.node
    if isinstance(result, Lost):
        return Transacted(node=node, outcome=Outcome.UNREACHABLE, problem=result.problem, seconds=result.seconds)
    try:
        report = wire.decode_report(result.stdout)
    except AgentError as error:
        said = result.stderr.decode(errors="replace").strip().splitlines()
        message = f"{error.problem.message} (exit status {result.rc}{'; it said: ' + said[-1] if said else ''})"
        problem = Problem(code=error.problem.code, message=message, hint=error.problem.hint)
        return Transacted(node=node, outcome=Outcome.UNKNOWN, problem=problem, seconds=result.seconds)
    return Transacted(
        node=node,
        outcome=_OUTCOMES[report.phase],
        report=report,
        problem=_problem(report),
        seconds=result.seconds,
    )


_WORDS = {
    TransactionPhase.ROLLED_BACK: ("the change failed and was taken back", "the node runs as before; see the reason"),
    TransactionPhase.ROLLBACK_FAILED: (
        "the change failed and so did taking it back",
        "the node needs a person: see docs/runbooks",
    ),
    TransactionPhase.REFUSED: ("the node refused before anything was changed", "plan again, or see the reason"),
    TransactionPhase.RUNNING: ("the transaction is still running", "ask again in a moment"),
    TransactionPhase.NONE: ("the node knows nothing of the transaction, so nothing was changed", "run it again"),
}


def _problem(report: TransactionReport) -> Problem | None:
    if report.phase is TransactionPhase.COMMITTED:
        return None
    message, hint = _WORDS[report.phase]
    detail = f": {report.detail}" if report.detail else ""
    return Problem(code=report.code or report.phase.value.replace("_", "-"), message=message + detail, hint=hint)

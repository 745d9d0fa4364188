"""Transactions on nodes: begun, rolled back, and followed to their end, also if a connection is lost."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message, NodeStep, announce, announce_all
from harbor_agent.engine.rollout.stop import StopRequestedError
from harbor_agent.engine.steps import follow_steps
from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action
from harbor_agent.model.result import Outcome, Step, TransactionPhase
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, Lost, decode_answer, describe_unknown_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.program import Program
    from harbor_agent.model.result import TransactionReport
    from harbor_agent.model.state import Record
    from harbor_agent.transport.protocol import Completed, Transport

_STATUS_TIMEOUT = 20.0
_POLL_SECONDS = 2.0
_REPORT_SECONDS = 10.0
_MOST_NAMES = 5

# What a node is at until it reports its steps, which not every connection passes on in time.
_TRANSACTIONS = {
    Action.NONE: Step.CHANGE,
    Action.RELOAD: Step.CHANGE_AND_RELOAD,
    Action.RESTART: Step.CHANGE_AND_RESTART,
}
_OUTCOMES = {
    TransactionPhase.COMMITTED: Outcome.CHANGED,
    TransactionPhase.ROLLED_BACK: Outcome.ROLLED_BACK,
    TransactionPhase.ROLLBACK_FAILED: Outcome.ROLLBACK_FAILED,
    TransactionPhase.REFUSED: Outcome.REFUSED,
    TransactionPhase.RUNNING: Outcome.UNKNOWN,
    TransactionPhase.NONE: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionMonitor:
    """How transactions are followed: the listener, and how long nodes are polled.

    `health_deadline` is how many seconds a daemon has to become healthy. A transaction may need them twice, for the
    change and for the rollback, so a node whose connection was lost is polled for twice as long.
    """

    health_deadline: int
    listener: Listener
    stop: StopRequest

    @property
    def timeout(self) -> float:
        """The seconds for a whole transaction, including the connection."""
        return self.health_deadline * 2 + 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """The result of a transaction on one node."""

    node: Node
    outcome: Outcome
    report: TransactionReport | None = None
    problem: Problem | None = None
    seconds: float = 0.0


def begin_transactions(
    transport: Transport, plans: Sequence[tuple[Node, Plan, Record]], transaction: str, monitor: TransactionMonitor
) -> Iterator[TransactionResult]:
    """Begin the transactions and yield the result of each node as it arrives; nodes that are lost are polled.

    The node carries out its transaction on its own: the outcome is UNKNOWN only if the node cannot be polled.
    """
    deadline = float(monitor.health_deadline)
    jobs = []
    for node, plan, record in plans:
        content = wire.encode_record(record)
        try:
            program = wire.build_begin_program(plan, transaction=transaction, record=content, deadline=deadline)
        except ValueError as error:  # the node named a path or a unit that no line can carry
            yield TransactionResult(node=node, outcome=Outcome.FAILED, problem=describe_unknown_answer(error))
        else:
            action = plan.activation.action
            jobs.append(_build_job(node, program, _TRANSACTIONS[action], monitor, action))
    yield from _run_jobs(transport, jobs, transaction, monitor)


def roll_back_transactions(
    transport: Transport, nodes: Sequence[Node], transaction: str, monitor: TransactionMonitor
) -> Iterator[TransactionResult]:
    """Roll back a committed transaction on these nodes; yields as `begin_transactions` does."""
    program = wire.build_rollback_program(transaction)
    jobs = [_build_job(node, program, Step.ROLL_BACK, monitor) for node in nodes]
    return _run_jobs(transport, jobs, transaction, monitor)


def _build_job(
    node: Node, program: Program, step: Step, monitor: TransactionMonitor, action: Action = Action.NONE
) -> Job:
    return Job(
        node=node,
        program=program,
        timeout=monitor.timeout,
        on_start=announce(monitor.listener, node.name, step),
        on_line=follow_steps(monitor.listener, node.name, action),
    )


def _run_jobs(
    transport: Transport, jobs: Sequence[Job], transaction: str, monitor: TransactionMonitor
) -> Iterator[TransactionResult]:
    open_: dict[str, TransactionResult] = {}
    for result in transport.run(jobs):
        ended = _build_result(result)
        # Also if a node answers while it shuts down: its next boot ends the transaction.
        if ended.outcome is Outcome.UNKNOWN or (isinstance(result, Lost) and result.started):
            open_[ended.node.name] = ended
        else:
            monitor.listener(NodeStep(node=ended.node.name, step=Step.WAIT))
            yield ended
    if open_:
        yield from _poll_until_ended(transport, open_, transaction, monitor)


def _poll_until_ended(
    transport: Transport, open_: dict[str, TransactionResult], transaction: str, monitor: TransactionMonitor
) -> Iterator[TransactionResult]:
    """Poll nodes until each transaction has ended, the time is up, or a stop is requested."""
    last_heard: dict[str, TransactionResult] = {}
    program = wire.build_status_program(transaction)
    reported, pause = time.monotonic(), 0.0
    end = reported + monitor.health_deadline * 2
    monitor.listener(Message(text=f"{_list_names(open_)}: the result of the change did not arrive; checking the node"))
    announce_all(monitor.listener, open_, Step.CHECK)
    while open_ and not monitor.stop() and (left := end - time.monotonic()) > 0:
        if time.monotonic() - reported >= _REPORT_SECONDS:
            reported = time.monotonic()
            monitor.listener(Message(text=f"{_list_names(open_)}: no answer yet; checking for another {left:.0f} s"))
        jobs = [Job(node=begun.node, program=program, timeout=_STATUS_TIMEOUT) for begun in open_.values()]
        for heard in map(_build_result, _poll_once(transport, jobs, monitor.stop, after=pause)):
            if heard.report is not None and _has_ended(heard.report, last_heard.get(heard.node.name)):
                del open_[heard.node.name]
                yield heard
            elif heard.report is not None:
                last_heard[heard.node.name] = heard
        pause = _POLL_SECONDS
    yield from (_build_unknown_result(begun, last_heard.get(name)) for name, begun in open_.items())


def _poll_once(transport: Transport, jobs: Sequence[Job], stop: StopRequest, *, after: float) -> list[Completed | Lost]:
    """Run the jobs after a pause of `after` seconds. A stop request returns the answers so far at once."""
    answers: list[Completed | Lost] = []
    with contextlib.suppress(StopRequestedError), stop.interruptible_wait():
        time.sleep(after)
        for answer in transport.run(jobs):
            answers.append(answer)  # noqa: PERF402 - kept if the wait is interrupted
    return answers


def _has_ended(report: TransactionReport, before: TransactionResult | None) -> bool:
    """Whether the report is final. An unknown transaction is final the second time: the program may still arrive."""
    if report.phase is TransactionPhase.NONE:
        return before is not None
    return report.phase is not TransactionPhase.RUNNING


def _build_unknown_result(begun: TransactionResult, last_heard: TransactionResult | None) -> TransactionResult:
    lost = begun.problem.message if begun.problem else "the result of the change did not arrive"
    if last_heard is not None and last_heard.problem is not None:
        found = f"last report of the node: {last_heard.problem.message}"
    else:
        found = "the node finishes on its own and could not be reached since"
    problem = Problem(
        code="transaction-unknown",
        message=f"{lost}; {found}",
        hint="run the same command again to check the node",
    )
    return TransactionResult(node=begun.node, outcome=Outcome.UNKNOWN, problem=problem, seconds=begun.seconds)


def _list_names(nodes: Iterable[str]) -> str:
    names = sorted(nodes)
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _build_result(result: Completed | Lost) -> TransactionResult:
    node = result.job.node
    report = decode_answer(result, wire.decode_report)
    if isinstance(report, Problem):
        outcome = Outcome.UNREACHABLE if isinstance(result, Lost) else Outcome.UNKNOWN
        return TransactionResult(node=node, outcome=outcome, problem=report, seconds=result.seconds)
    return TransactionResult(
        node=node,
        outcome=_find_outcome(report),
        report=report,
        problem=_build_problem(report),
        seconds=result.seconds,
    )


_MESSAGES = {
    TransactionPhase.ROLLED_BACK: (
        "the change failed and was rolled back",
        "the node runs as before; for the cause see `harbor-agent explain {code}`",
    ),
    TransactionPhase.ROLLBACK_FAILED: (
        "the change failed and could not be rolled back",
        "manual intervention required; see `harbor-agent explain rollback-failed`",
    ),
    TransactionPhase.REFUSED: (
        "the node refused the change before it started",
        "fix the cause (see `harbor-agent explain {code}`), then plan again",
    ),
    TransactionPhase.RUNNING: (
        "the transaction is still running",
        "run the same command again in a minute to check the node",
    ),
    TransactionPhase.NONE: (
        "the node has no such transaction: either it never began, or its state in /var/lib/harbor-agent was removed",
        "run the command again to check the node",
    ),
}
_CONTAINERS_LOST_HINT = "start these containers: {containers}; for the cause see `harbor-agent explain {code}`"
# The node committed, but something about the change must be reported.
_NOT_LASTING = frozenset({"file-changed-meanwhile", "recovery-armed"})
_NOT_LASTING_HINT = "see `harbor-agent explain {code}`, then run the command again"


def _build_problem(report: TransactionReport) -> Problem | None:
    code = report.code or report.phase.value.replace("_", "-")
    if report.phase is TransactionPhase.COMMITTED:
        if report.code not in _NOT_LASTING:
            return None
        return Problem(code=code, message=report.detail, hint=_NOT_LASTING_HINT.format(code=code))
    message, hint = _MESSAGES[report.phase]
    if report.phase is TransactionPhase.ROLLED_BACK and report.containers_lost:
        hint = _CONTAINERS_LOST_HINT
    detail = f": {report.detail}" if report.detail else ""
    hint = hint.format(code=code, containers=", ".join(report.containers_lost))
    return Problem(code=code, message=message + detail, hint=hint)


def _find_outcome(report: TransactionReport) -> Outcome:
    return Outcome.FAILED if report.code in _NOT_LASTING else _OUTCOMES[report.phase]

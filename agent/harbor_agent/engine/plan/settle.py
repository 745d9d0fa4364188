"""Waits until transactions that are under way on nodes have ended: an earlier run may have been killed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.errors import Problem
from harbor_agent.model.result import TransactionPhase
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.result import TransactionReport
    from harbor_agent.transport.protocol import Transport

    Replan = Callable[[Sequence[PlannedNode]], Sequence[PlannedNode]]

_POLL_SECONDS = 2.0
_STATUS_TIMEOUT = 20.0
_NOTHING_CHANGED = frozenset({"begun", "preflight", "prepared"})


def replan_busy_nodes(
    transport: Transport, planned: Sequence[PlannedNode], replan: Replan, seconds: float, listener: Listener
) -> list[PlannedNode]:
    """Wait at most `seconds` for the transactions that are under way on nodes, and plan these nodes again."""
    begun = [(p, p.state.pending_transaction) for p in planned if p.state and p.state.pending_transaction]
    if not begun:
        return list(planned)
    wait_for_transactions(transport, [(p.node, transaction) for p, transaction in begun], seconds, listener)
    return replace_nodes(planned, replan([p for p, _ in begun]))


def replace_nodes(planned: Sequence[PlannedNode], again: Sequence[PlannedNode]) -> list[PlannedNode]:
    """Return the planned nodes in their order, with those that were planned again in place of the first plan."""
    by_name = {p.node.name: p for p in again}
    return [by_name.get(p.node.name, p) for p in planned]


def wait_for_transactions(
    transport: Transport, begun: Sequence[tuple[Node, str]], seconds: float, listener: Listener
) -> None:
    """Wait at most `seconds` until each node's transaction, given by its ID, has ended.

    A node without the transaction is polled once more: the program may still arrive.
    """
    open_ = {node.name: (node, transaction) for node, transaction in begun}
    deadline = time.monotonic() + seconds
    without_transaction: set[str] = set()
    reported: set[str] = set()
    while open_ and time.monotonic() < deadline:
        reports = _poll_transactions(transport, open_)
        busy = {name for name, report in reports.items() if _is_running(report)}
        missing = {name for name, report in reports.items() if report.phase is TransactionPhase.NONE}
        open_ = {name: one for name, one in open_.items() if name in busy | (missing - without_transaction)}
        without_transaction |= missing
        if busy - reported:
            reported |= busy
            names = ", ".join(f"{name} (run {open_[name][1]})" for name in sorted(busy))
            listener(Message(text=f"waiting up to {seconds:.0f} s for changes that an earlier run started: {names}"))
        if open_:
            time.sleep(_POLL_SECONDS)


def _poll_transactions(transport: Transport, begun: Mapping[str, tuple[Node, str]]) -> dict[str, TransactionReport]:
    jobs = [
        Job(node=node, program=wire.build_status_program(transaction), timeout=_STATUS_TIMEOUT)
        for node, transaction in begun.values()
    ]
    answers = {result.job.node.name: decode_answer(result, wire.decode_report) for result in transport.run(jobs)}
    # The plan reports nodes that do not answer now.
    return {name: answer for name, answer in answers.items() if not isinstance(answer, Problem)}


def _is_running(report: TransactionReport) -> bool:
    """Whether it will end soon: a transaction interrupted with files changed ends only at the next boot."""
    if report.phase is not TransactionPhase.RUNNING:
        return False
    return report.code != "transaction-interrupted" or report.step in _NOTHING_CHANGED

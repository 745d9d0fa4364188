"""Ends transactions that were interrupted on nodes or could not be rolled back, before these nodes are planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.plan.settle import replace_nodes
from harbor_agent.errors import Problem
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.settle import Replan
    from harbor_agent.transport.protocol import Transport

# The node may have to restart its runtime.
_TIMEOUT = 420.0


def end_pending_transactions(
    transport: Transport, planned: Sequence[PlannedNode], replan: Replan, listener: Listener
) -> list[PlannedNode]:
    """Roll back transactions that were interrupted, and plan these nodes again."""
    ended = _resolve_transactions(transport, planned, listener)
    return replace_nodes(planned, replan([p for p in planned if p.node.name in ended]) if ended else ())


def _resolve_transactions(transport: Transport, planned: Sequence[PlannedNode], listener: Listener) -> set[str]:
    """Return the nodes that reported the state of their transaction."""
    jobs = [
        Job(node=one.node, program=wire.build_resolve_program(one.state.pending_transaction), timeout=_TIMEOUT)
        for one in planned
        if one.state is not None and one.state.pending_transaction and one.state.system.privileged
    ]
    if not jobs:
        return set()
    names = ", ".join(job.node.name for job in jobs)
    listener(Message(text=f"{names}: rolling back the transaction unless it is still running"))
    ended = set()
    for result in transport.run(jobs):
        report = decode_answer(result, wire.decode_report)
        if isinstance(report, Problem):
            listener(Message(text=f"{result.job.node.name}: {report.message}"))
        else:
            listener(Message(text=f"{result.job.node.name}: transaction {report.transaction}: {report.phase}"))
            ended.add(result.job.node.name)
    return ended

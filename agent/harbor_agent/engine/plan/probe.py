"""The state of every node, read in one round trip each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeProbed, Phase, announce
from harbor_agent.errors import Problem
from harbor_agent.model.result import Step
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, Lost, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.state import NodeState
    from harbor_agent.transport.protocol import Completed, Transport

_NOT_ROOT = Problem(
    code="not-root",
    message="the program ran without root privileges, so no plan can be made",
    hint="let the login user become root: check ansible_become_method, ansible_become_exe and ansible_become_flags",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """A node and its state, or the problem that prevented the probe.

    `unreachable` says that there was no answer of root at all; otherwise there was one that could not be decoded.
    """

    node: Node
    state: NodeState | None = None
    problem: Problem | None = None
    unreachable: bool = False
    seconds: float = 0.0


def probe_nodes(
    transport: Transport, nodes: Sequence[tuple[Node, tuple[str, ...]]], *, timeout: float, listener: Listener
) -> Iterator[ProbeResult]:
    """Probe each node and its view of its registry entries; yields one result a node, as they arrive.

    So one node is planned while others are being probed, and its answer is not kept longer than that. A node on which
    the login user cannot become root is unreachable: what another user may read is not enough for a plan.
    """
    listener(Phase(name="probe nodes", total=len(nodes)))
    programs = {entries: wire.build_probe_program(entries) for entries in {entries for _, entries in nodes}}
    jobs = [
        Job(
            node=node,
            program=programs[entries],
            timeout=timeout,
            on_start=announce(listener, node.name, Step.PROBE),
        )
        for node, entries in nodes
    ]
    for result in transport.run(jobs):
        seen = _build_result(result)
        listener(NodeProbed(node=seen.node.name, problem=seen.problem, seconds=seen.seconds))
        yield seen


def _build_result(result: Completed | Lost) -> ProbeResult:
    node = result.job.node
    state = decode_answer(result, wire.decode_probe)
    if isinstance(state, Problem):
        unreachable = isinstance(result, Lost)
        return ProbeResult(node=node, problem=state, unreachable=unreachable, seconds=result.seconds)
    if not state.system.privileged:
        return ProbeResult(node=node, problem=_NOT_ROOT, unreachable=True, seconds=result.seconds)
    return ProbeResult(node=node, state=state, seconds=result.seconds)

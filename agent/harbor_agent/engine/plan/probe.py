"""The state of every node, read in one round trip each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeProbed, Phase
from harbor_agent.errors import Problem
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, Lost, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.state import NodeState
    from harbor_agent.transport.protocol import Completed, Transport

_CANNOT_BECOME_ROOT = frozenset(
    {"become-password-required", "become-not-permitted", "become-requires-tty", "become-missing"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """A node and its state, or the problem that prevented the probe.

    With both, the node was probed without root privileges, and the problem says why. `unreachable` says that there
    was no answer at all; otherwise there was one that could not be decoded.
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

    So one node is planned while others are being probed, and its answer is not kept longer than that. If the login
    user may not become root, the node is probed again as that user. A wrong password is a problem of its own.
    """
    listener(Phase(name="probe nodes", total=len(nodes)))
    programs = {entries: wire.probe_program(entries) for entries in {entries for _, entries in nodes}}
    jobs = [Job(node=node, program=programs[entries], timeout=timeout) for node, entries in nodes]
    not_root: dict[str, Lost] = {}
    for result in transport.run(jobs):
        if isinstance(result, Lost) and result.problem.code in _CANNOT_BECOME_ROOT:
            not_root[result.job.node.name] = result
        else:
            yield _report(_build_result(result), listener)
    for result in transport.run([_drop_privileges(lost.job) for lost in not_root.values()]):
        lost = not_root[result.job.node.name]
        seen = _build_result(result)
        yield _report(replace(seen, problem=lost.problem, unreachable=seen.state is None), listener)


def _drop_privileges(job: Job) -> Job:
    return replace(job, program=replace(job.program, privileged=False))


def _report(seen: ProbeResult, listener: Listener) -> ProbeResult:
    listener(NodeProbed(node=seen.node.name, problem=seen.problem, seconds=seen.seconds))
    return seen


def _build_result(result: Completed | Lost) -> ProbeResult:
    node = result.job.node
    state = decode_answer(result, wire.decode_probe)
    if isinstance(state, Problem):
        unreachable = isinstance(result, Lost)
        return ProbeResult(node=node, problem=state, unreachable=unreachable, seconds=result.seconds)
    return ProbeResult(node=node, state=state, seconds=result.seconds)

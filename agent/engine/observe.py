"""Ask every node what it looks like, in one round trip each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.engine.events import NodeDone, Phase
from agent.errors import AgentError, Problem
from agent.node import wire
from agent.transport.protocol import Job, Lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine.events import Listener
    from agent.model.inventory import Node
    from agent.model.state import NodeState
    from agent.transport.protocol import Completed, Transport

_CANNOT_BECOME_ROOT = frozenset(
    {"become-password-required", "become-not-permitted", "become-requires-tty", "become-missing"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A node and its state, or the problem that kept it from being seen.

    Both together: the node was seen without root's rights, and the problem says why. `unreachable` tells a node
    that was not reached from one that answered nonsense.
    """

    node: Node
    state: NodeState | None = None
    problem: Problem | None = None
    unreachable: bool = False
    seconds: float = 0.0


def observe(
    transport: Transport, nodes: Sequence[tuple[Node, tuple[str, ...]]], *, timeout: float, listener: Listener
) -> list[Observation]:
    """Probe each node for itself and its view of the given registry entries; results in the order of `nodes`.

    Where the login user cannot become root the probe sees what that user may see. A wrong password is no such case.
    """
    listener(Phase(name="look at nodes", total=len(nodes)))
    jobs = [Job(node=node, program=wire.probe_program(entries), timeout=timeout) for node, entries in nodes]
    found: dict[str, Observation] = {}
    not_root: dict[str, Lost] = {}
    for result in transport.run(jobs):
        if isinstance(result, Lost) and result.problem.code in _CANNOT_BECOME_ROOT:
            not_root[result.job.node.name] = result
        else:
            _note(found, _observation(result), listener)
    for result in transport.run([_as_the_user(lost.job) for lost in not_root.values()]):
        lost = not_root[result.job.node.name]
        seen = _observation(result)
        _note(found, replace(seen, problem=lost.problem, unreachable=seen.state is None), listener)
    return [found[node.name] for node, _ in nodes]


def _as_the_user(job: Job) -> Job:
    return replace(job, program=replace(job.program, privileged=False))


def _note(found: dict[str, Observation], seen: Observation, listener: Listener) -> None:
    found[seen.node.name] = seen
    text = seen.problem.message if seen.problem else "seen"
    listener(NodeDone(node=seen.node.name, text=text, seconds=seen.seconds))


def _observation(result: Completed | Lost) -> Observation:
    node = result.job.node
    if isinstance(result, Lost):
        return Observation(node=node, problem=result.problem, unreachable=True, seconds=result.seconds)
    try:
        return Observation(node=node, state=wire.decode_probe(result.stdout), seconds=result.seconds)
    except AgentError as error:
        said = result.stderr.decode(errors="replace").strip().splitlines()
        detail = f"; it said: {said[-1]}" if said else ""
        problem = Problem(
            code=error.problem.code,
            message=f"{error.problem.message} (exit status {result.rc}{detail})",
            hint=error.problem.hint,
        )
        return Observation(node=node, problem=problem, seconds=result.seconds)

"""Nodes in their cluster: no sick one goes first, a restart finds no pods on request, and each must be Ready again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from harbor_agent.engine.events import Message
from harbor_agent.engine.rollout.drain import drain_nodes, objection_to_eviction
from harbor_agent.engine.rollout.hooks import NoHooks
from harbor_agent.engine.rollout.matching import find_node
from harbor_agent.engine.rollout.readiness import wait_until_ready
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import NodeResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.engine.rollout.hooks import RolloutHooks
    from harbor_agent.errors import ExitCode
    from harbor_agent.kubernetes.nodes import ClusterNode, ClusterNodes

_RESTARTED = frozenset({Outcome.CHANGED, Outcome.ROLLED_BACK})
_UNCERTAIN = frozenset({Outcome.UNKNOWN, Outcome.ROLLBACK_FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds that a wave's pods have to go, and that its nodes have to become Ready again."""

    drain: float = 300.0
    ready: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """What is asked of the cluster's side of a run. `context` is one of the kubeconfig's."""

    run_id: str
    kubeconfig: str | None
    context: str | None
    drain: bool
    listener: Listener
    stop: Callable[[], ExitCode | None] = lambda: None
    deadlines: Deadlines = field(default_factory=Deadlines)


def rollout_hooks(
    run: RolloutContext, planned: Sequence[PlannedNode], *, kubeconfig: str | None, context: str | None
) -> RolloutHooks:
    """Return the cluster's side of a run where a kubeconfig is named, or a drain asked for, which then takes kubectl's.

    For a drain, raises UsageError for a wrong kubeconfig, and AgentError where the cluster does not answer or the user
    lacks a right; nothing was changed then.
    """
    if kubeconfig is None and not run.rollout.drain:
        return NoHooks()
    side = HookOptions(
        run_id=run.run_id,
        kubeconfig=kubeconfig,
        context=context,
        drain=run.rollout.drain,
        listener=run.listener,
        stop=run.stop,
    )
    return connect_hooks(side, planned)


def connect_hooks(side: HookOptions, planned: Sequence[PlannedNode]) -> RolloutHooks:
    """Find the nodes in their cluster; nothing is changed there yet.

    With `drain`, raises UsageError for a wrong kubeconfig, and AgentError where the cluster does not answer or the user
    lacks a right. Without it the rollout goes on and a warning says that it is blind.
    """
    try:
        return _in_cluster(side, planned)
    except AgentError as error:
        if side.drain:
            raise
        return NoHooks(warnings=(_unseen(error.problem),))


def _in_cluster(side: HookOptions, planned: Sequence[PlannedNode]) -> KubernetesHooks:
    from harbor_agent.kubernetes.nodes import open_cluster_nodes  # noqa: PLC0415 - lightkube is slow to import

    nodes = open_cluster_nodes(side.kubeconfig, side.context)
    problem = nodes.find_missing_right() if side.drain else None
    known = problem or nodes.all()
    if isinstance(known, Problem):
        nodes.close()
        raise AgentError(known)
    return KubernetesHooks(side, nodes, {one.node.name: find_node(one, known) for one in planned})


class KubernetesHooks:
    """The surroundings of nodes whose cluster is known (see `RolloutHooks`)."""

    def __init__(self, side: HookOptions, nodes: ClusterNodes, found: dict[str, ClusterNode | Problem]) -> None:
        """Take over the open cluster. `found` is each node of the run there, or why it is not known."""
        self._side, self._nodes, self._found = side, nodes, found
        self._warnings: list[Problem] = []
        self._before: dict[str, ClusterNode] = {}
        self._cordoned: dict[str, str] = {}  # by us and not yet uncordoned: inventory name, cluster name

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the cluster. Where the run was broken off (a second Ctrl-C), tell which nodes stay cordoned."""
        for name in self._cordoned.values() if kind else ():
            self._tell(f"node {name} stays cordoned; the next run uncordons it, or: kubectl uncordon {name}")
        self._nodes.close()

    @property
    def unfit_for_canary(self) -> frozenset[str]:
        """The nodes that are NotReady or cordoned."""
        seen = {name: node for name, node in self._found.items() if not isinstance(node, Problem)}
        return frozenset(name for name, node in seen.items() if node.cordoned or not node.ready)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What could not be seen, and what stays cordoned."""
        return tuple(self._warnings)

    def before(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:
        """Cordon and empty the nodes that will restart their daemon; nothing else needs it."""
        restarting = [
            p.node.name for p in wave if isinstance(p.decision, Plan) and p.decision.activation.action is Action.RESTART
        ]
        for name in restarting:
            self._look_again(name)
        if not self._side.drain:
            return {}
        for planned in wave:
            if isinstance(planned.decision, Plan) and planned.decision.activation.action is Action.RELOAD:
                self._tell(f"{planned.node.name}: not drained, for it only reloads")
        problems = {name: self._cordon(name) for name in restarting}
        held = {name: _refused(name, problem) for name, problem in problems.items() if problem}
        to_empty = {name: self._before[name].name for name, problem in problems.items() if problem is None}
        for name, problem in drain_nodes(self._nodes, to_empty, self._side.deadlines.drain, self._side.stop).items():
            held[name] = _refused(name, problem) if problem else _not_begun(name)
        for name in held:
            self._uncordon(name)
        return held

    def after(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Wait until restarted nodes are Ready if they were before, and uncordon those that this run cordoned."""
        restarted = {r.node for r in results if r.outcome in _RESTARTED}
        were_ready = {name: node for name, node in self._before.items() if name in restarted and node.ready}
        late = wait_until_ready(self._nodes, were_ready, self._side.deadlines.ready)
        self._before.clear()
        done = []
        for result in results:
            problem = late.get(result.node)
            if problem is None and result.outcome not in _UNCERTAIN:
                problem = self._uncordon(result.node)
            done.append(self._worse(result, problem) if problem else result)
        return done

    def end(self, results: Sequence[NodeResult]) -> None:
        """Uncordon what an earlier run of ours left behind where all is well now; tell what stays cordoned."""
        for result in results:
            node = self._found.get(result.node)
            if node is None or isinstance(node, Problem) or not node.cordoned_by or result.node in self._cordoned:
                continue
            well = result.outcome in {Outcome.UNCHANGED, Outcome.CHANGED} and result.verified is not False
            if not well or self._nodes.uncordon(node.name, node.cordoned_by):
                self._warnings.append(_still_cordoned(node.name, f"run {node.cordoned_by} did it and was killed"))
        for name in self._cordoned.values():
            self._warnings.append(_still_cordoned(name, f"run {self._side.run_id} did it, and it may not be well"))

    def _look_again(self, name: str) -> None:
        """Look at the node just before its change, and keep what is seen."""
        found = self._found[name]
        now = found if isinstance(found, Problem) else self._nodes.get(found.name)
        if not isinstance(now, Problem):
            self._before[name] = now
        elif not isinstance(found, Problem) and not self._side.drain:
            self._warnings.append(_unseen(now))
        self._found[name] = now

    def _cordon(self, name: str) -> Problem | None:
        """Cordon the node unless it is; return why it must not be changed."""
        node = self._found[name]
        if isinstance(node, Problem):
            return node
        pods = self._nodes.list_pods(node.name)
        problem = pods if isinstance(pods, Problem) else objection_to_eviction(pods)
        if isinstance(pods, Problem) or problem:
            return problem
        ours = self._nodes.cordon(node, self._side.run_id)
        if isinstance(ours, Problem):
            return ours
        if ours:
            self._cordoned[name] = node.name
        self._tell(f"{name}: {'' if ours else 'already '}cordoned, {len(pods)} pods to evict")
        return None

    def _uncordon(self, name: str) -> Problem | None:
        """Let pods onto the node again if this run cordoned it."""
        in_cluster = self._cordoned.get(name)
        if in_cluster is None:
            return None
        problem = self._nodes.uncordon(in_cluster, self._side.run_id)
        if problem:
            return _still_cordoned(in_cluster, problem.message)
        del self._cordoned[name]
        found = self._found[name]
        if not isinstance(found, Problem):
            self._found[name] = replace(found, cordoned_by="")
        return None

    def _worse(self, result: NodeResult, problem: Problem) -> NodeResult:
        """Return the result as not verified; a problem that it has already is the one that is shown there."""
        if result.problem:
            self._warnings.append(problem)
            return replace(result, verified=False)
        return replace(result, verified=False, problem=problem, reason=problem.message)

    def _tell(self, text: str) -> None:
        self._side.listener(Message(text=text))


def _unseen(problem: Problem) -> Problem:
    message = f"whether the nodes are Ready is not known: {problem.message}"
    return Problem(code="cluster-nodes-unseen", message=message, hint=problem.hint)


def _refused(name: str, problem: Problem) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.REFUSED, reason=problem.message, problem=problem)


def _not_begun(name: str) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.SKIPPED, reason="not touched, the run was asked to stop")


def _still_cordoned(name: str, why: str) -> Problem:
    return Problem(
        code="node-stays-cordoned",
        message=f"node {name} stays cordoned: {why}",
        hint=f"once it is well: kubectl uncordon {name}",
    )

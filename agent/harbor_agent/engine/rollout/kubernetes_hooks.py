"""Rollout hooks for a Kubernetes cluster.

Unhealthy nodes are never the canary, `--drain` empties a node before its restart, and each node must be Ready again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from harbor_agent.engine.events import Message, announce_all
from harbor_agent.engine.plan.matching import find_node
from harbor_agent.engine.rollout.drain import drain_nodes, find_objection_to_eviction
from harbor_agent.engine.rollout.hooks import NoHooks
from harbor_agent.engine.rollout.readiness import wait_until_ready
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import NodeResult, Outcome, Step

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
    """The seconds that the pods of a wave have to terminate, and that its nodes have to become Ready again."""

    drain: float = 300.0
    ready: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """The options of the hooks. `context` is one of the kubeconfig."""

    run_id: str
    kubeconfig: str | None
    context: str | None
    drain: bool
    listener: Listener
    stop: Callable[[], ExitCode | None] = lambda: None
    deadlines: Deadlines = field(default_factory=Deadlines)


def open_hooks(
    run: RolloutContext, planned: Sequence[PlannedNode], *, kubeconfig: str | None, context: str | None
) -> RolloutHooks:
    """Return the hooks of a run with a kubeconfig or a drain; a drain falls back to the kubeconfig of kubectl.

    For a drain, raises UsageError for a wrong kubeconfig, and AgentError if the cluster does not answer or the user
    lacks a permission; nothing was changed then.
    """
    if kubeconfig is None and not run.rollout.drain:
        return NoHooks()
    options = HookOptions(
        run_id=run.run_id,
        kubeconfig=kubeconfig,
        context=context,
        drain=run.rollout.drain,
        listener=run.listener,
        stop=run.stop,
    )
    return connect_hooks(options, planned)


def connect_hooks(options: HookOptions, planned: Sequence[PlannedNode]) -> RolloutHooks:
    """Find the nodes in their cluster. Changes nothing there yet.

    With `drain`, raises UsageError for a wrong kubeconfig, and AgentError if the cluster does not answer or the user
    lacks a permission. Without it the rollout continues, with a warning that the nodes cannot be checked.
    """
    try:
        return _find_nodes(options, planned)
    except AgentError as error:
        if options.drain:
            raise
        return NoHooks(warnings=(_describe_unseen(error.problem),))


def _find_nodes(options: HookOptions, planned: Sequence[PlannedNode]) -> KubernetesHooks:
    from harbor_agent.kubernetes.nodes import open_cluster_nodes  # noqa: PLC0415 - lightkube is slow to import

    nodes = open_cluster_nodes(options.kubeconfig, options.context)
    problem = nodes.find_missing_right() if options.drain else None
    known = problem or nodes.all()
    if isinstance(known, Problem):
        nodes.close()
        raise AgentError(known)
    return KubernetesHooks(options, nodes, {one.node.name: find_node(one, known) for one in planned})


class KubernetesHooks:
    """The hooks of nodes in a cluster (see `RolloutHooks`)."""

    def __init__(self, options: HookOptions, nodes: ClusterNodes, found: dict[str, ClusterNode | Problem]) -> None:
        """Take ownership of the open cluster. `found` has each node of the run there, or why it was not found."""
        self._options, self._nodes, self._found = options, nodes, found
        self._warnings: list[Problem] = []
        self._before: dict[str, ClusterNode] = {}
        self._cordoned: dict[str, str] = {}  # by us and not yet uncordoned: inventory name, cluster name

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the cluster. If the run was interrupted (a second Ctrl-C), report the nodes that stay cordoned."""
        for name in self._cordoned.values() if kind else ():
            self._report(f"node {name} stays cordoned; the next run uncordons it, or: kubectl uncordon {name}")
        self._nodes.close()

    @property
    def unfit_for_canary(self) -> frozenset[str]:
        """The nodes that are NotReady or cordoned."""
        seen = {name: node for name, node in self._found.items() if not isinstance(node, Problem)}
        return frozenset(name for name, node in seen.items() if node.cordoned or not node.ready)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The nodes that could not be checked, and those that stay cordoned."""
        return tuple(self._warnings)

    def before_wave(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:
        """Cordon and drain the nodes whose daemon will be restarted; a reload does not need it."""
        restarting = [
            p.node.name for p in wave if isinstance(p.decision, Plan) and p.decision.activation.action is Action.RESTART
        ]
        for name in restarting:
            self._refresh(name)
        if not self._options.drain:
            return {}
        for planned in wave:
            if isinstance(planned.decision, Plan) and planned.decision.activation.action is Action.RELOAD:
                self._report(f"{planned.node.name}: not drained, because its daemon is only reloaded")
        problems = {name: self._cordon(name) for name in restarting}
        held = {name: _refuse(name, problem) for name, problem in problems.items() if problem}
        to_empty = {name: self._before[name].name for name, problem in problems.items() if problem is None}
        announce_all(self._options.listener, to_empty, Step.DRAIN)
        for name, problem in drain_nodes(
            self._nodes, to_empty, self._options.deadlines.drain, self._options.stop
        ).items():
            held[name] = _refuse(name, problem) if problem else _skip(name)
        for name in held:
            self._uncordon(name)
        return held

    def after_wave(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Wait until restarted nodes are Ready if they were before, and uncordon those that this run cordoned."""
        restarted = {r.node for r in results if r.outcome in _RESTARTED}
        were_ready = {name: node for name, node in self._before.items() if name in restarted and node.ready}
        announce_all(self._options.listener, were_ready, Step.READY)
        late = wait_until_ready(self._nodes, were_ready, self._options.deadlines.ready)
        self._before.clear()
        done = []
        for result in results:
            problem = late.get(result.node)
            if problem is None and result.outcome not in _UNCERTAIN:
                problem = self._uncordon(result.node)
            done.append(self._mark_unverified(result, problem) if problem else result)
        return done

    def finish(self, results: Sequence[NodeResult]) -> None:
        """Uncordon healthy nodes that a killed run left cordoned, and report those that stay cordoned."""
        for result in results:
            node = self._found.get(result.node)
            if node is None or isinstance(node, Problem) or not node.cordoned_by or result.node in self._cordoned:
                continue
            is_healthy = result.outcome in {Outcome.UNCHANGED, Outcome.CHANGED} and result.verified is not False
            if not is_healthy or self._nodes.uncordon(node.name, node.cordoned_by):
                self._warnings.append(_describe_cordon(node.name, f"run {node.cordoned_by} cordoned it and was killed"))
        for name in self._cordoned.values():
            self._warnings.append(
                _describe_cordon(name, f"run {self._options.run_id} cordoned it, and it may be unhealthy")
            )

    def _refresh(self, name: str) -> None:
        """Read the node again just before its change."""
        found = self._found[name]
        now = found if isinstance(found, Problem) else self._nodes.get(found.name)
        if not isinstance(now, Problem):
            self._before[name] = now
        elif not isinstance(found, Problem) and not self._options.drain:
            self._warnings.append(_describe_unseen(now))
        self._found[name] = now

    def _cordon(self, name: str) -> Problem | None:
        """Cordon the node unless it is cordoned; return the problem if it must not be changed."""
        node = self._found[name]
        if isinstance(node, Problem):
            return node
        pods = self._nodes.list_pods(node.name)
        problem = pods if isinstance(pods, Problem) else find_objection_to_eviction(pods)
        if isinstance(pods, Problem) or problem:
            return problem
        ours = self._nodes.cordon(node, self._options.run_id)
        if isinstance(ours, Problem):
            return ours
        if ours:
            self._cordoned[name] = node.name
        self._report(f"{name}: {'' if ours else 'already '}cordoned, {len(pods)} pods to evict")
        return None

    def _uncordon(self, name: str) -> Problem | None:
        """Uncordon the node if this run cordoned it."""
        in_cluster = self._cordoned.get(name)
        if in_cluster is None:
            return None
        problem = self._nodes.uncordon(in_cluster, self._options.run_id)
        if problem:
            return _describe_cordon(in_cluster, problem.message)
        del self._cordoned[name]
        found = self._found[name]
        if not isinstance(found, Problem):
            self._found[name] = replace(found, cordoned_by="")
        return None

    def _mark_unverified(self, result: NodeResult, problem: Problem) -> NodeResult:
        """Return the result as not verified; a problem that it has already stays, and the new one becomes a warning."""
        if result.problem:
            self._warnings.append(problem)
            return replace(result, verified=False)
        return replace(result, verified=False, problem=problem, reason=problem.message)

    def _report(self, text: str) -> None:
        self._options.listener(Message(text=text))


def _describe_unseen(problem: Problem) -> Problem:
    message = f"cannot check whether the nodes are Ready: {problem.message}"
    return Problem(code="cluster-nodes-unseen", message=message, hint=problem.hint)


def _refuse(name: str, problem: Problem) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.REFUSED, reason=problem.message, problem=problem)


def _skip(name: str) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.SKIPPED, reason="not changed: a stop was requested")


def _describe_cordon(name: str, why: str) -> Problem:
    return Problem(
        code="node-stays-cordoned",
        message=f"node {name} stays cordoned: {why}",
        hint=f"when the node is healthy, run kubectl uncordon {name}",
    )

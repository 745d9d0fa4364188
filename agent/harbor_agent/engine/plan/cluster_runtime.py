"""A cross-check: the runtime that the cluster reports for each node, if a kubeconfig is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.matching import find_node
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.plan import Refusal
from harbor_agent.model.result import Outcome
from harbor_agent.planning.kubelet import read_reported_runtime
from harbor_agent.planning.node import judge_other_runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.kubernetes.nodes import ClusterNode

_PLANNED = frozenset({Outcome.PENDING, Outcome.UNCHANGED})


def check_cluster_runtimes(
    planned: Sequence[PlannedNode], kubeconfig: str | None, context: str | None
) -> list[PlannedNode]:
    """Refuse, or warn of, the nodes whose cluster reports another runtime than the planned one.

    A cluster that cannot be asked changes nothing: what is on the node has been checked already.
    """
    if kubeconfig is None or not any(one.outcome in _PLANNED for one in planned):
        return list(planned)
    from harbor_agent.kubernetes.nodes import open_cluster_nodes  # noqa: PLC0415 - lightkube is slow to import

    try:
        with open_cluster_nodes(kubeconfig, context) as cluster:
            known = cluster.all()
    except AgentError:
        return list(planned)
    return list(planned) if isinstance(known, Problem) else [_check_node(one, known) for one in planned]


def _check_node(planned: PlannedNode, known: Sequence[ClusterNode]) -> PlannedNode:
    decision = planned.decision
    if planned.outcome not in _PLANNED or decision is None:
        return planned
    found = find_node(planned, known)
    other = None if isinstance(found, Problem) else read_reported_runtime(found.runtime_version, decision.runtime)
    if other is None:
        return planned
    judged = judge_other_runtime(decision, planned.policy.runtime, other)
    if not isinstance(judged, Refusal):
        return replace(planned, decision=judged)
    problem = judged.problem
    return replace(planned, outcome=Outcome.REFUSED, decision=judged, problem=problem, reason=problem.message)

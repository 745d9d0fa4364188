"""Empty nodes of their pods, patiently: budgets and pods that take their time to end have the last word."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harbor_agent.errors import ExitCode
    from harbor_agent.kubernetes.eviction import PodOnNode
    from harbor_agent.kubernetes.nodes import ClusterNodes

_WAITING_IS_VAIN = frozenset({"drain-unmanaged-pods", "cluster-forbidden"})
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 2.0


def drain_nodes(
    nodes: ClusterNodes, names: Mapping[str, str], seconds: float, stop: Callable[[], ExitCode | None]
) -> dict[str, Problem | None]:
    """Evict the pods of nodes, all at once, until they are gone; return the nodes that are not empty, and why.

    `names` are those in the cluster by those that the answer uses. None stands for a node that is not empty because
    the run was asked to stop.
    """
    waiting, held = dict(names), dict[str, Problem | None]()
    end = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while waiting:
        for name, in_cluster in list(waiting.items()):
            problem = _push(nodes, in_cluster)
            if problem is None:
                del waiting[name]
            elif problem.code in _WAITING_IS_VAIN or time.monotonic() > end:
                del waiting[name]
                held[name] = problem
        if waiting and stop():
            return held | dict.fromkeys(waiting)
        if waiting:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    return held


def objection_to_eviction(pods: Sequence[PodOnNode]) -> Problem | None:
    """Return why these pods must not be evicted: nothing would start one without a controller anew."""
    lonely = [str(pod) for pod in pods if not pod.has_controller and not pod.ending]
    if not lonely:
        return None
    return Problem(
        code="drain-unmanaged-pods",
        message=f"no controller would start these pods anew elsewhere: {', '.join(lonely)}",
        hint="delete them, or have a Deployment run them; or empty the node yourself: kubectl drain NODE --force",
    )


def _push(nodes: ClusterNodes, name: str) -> Problem | None:
    """Evict what may be evicted now; return why the node is not empty yet."""
    pods = nodes.list_pods(name)
    if isinstance(pods, Problem):
        return pods
    problem = objection_to_eviction(pods)
    if problem:
        return problem
    refused = [problem for pod in pods if not pod.ending and (problem := nodes.evict(pod))]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        hint = refused[0].hint or "scale the workload up, or change its budget: kubectl get poddisruptionbudgets -A"
        return replace(refused[0], message=f"{refused[0].message}{more}", hint=hint)
    if not pods:
        return None
    return Problem(
        code="drain-timeout",
        message=f"these pods of node {name} were evicted and do not end: {', '.join(map(str, pods))}",
        hint=f"look at them, and whether the node's kubelet runs: kubectl describe node {name}",
    )

"""Drains nodes: evicts their pods, and waits for disruption budgets and for pods to terminate."""

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

_PERMANENT = frozenset({"drain-unmanaged-pods", "cluster-forbidden"})
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 2.0


def drain_nodes(
    nodes: ClusterNodes, names: Mapping[str, str], seconds: float, stop: Callable[[], ExitCode | None]
) -> dict[str, Problem | None]:
    """Evict the pods of all nodes and wait; return the nodes that are not empty, with the problem.

    `names` maps the names that the answer uses to those in the cluster. The problem is missing for a node that is not
    empty because a stop was requested.
    """
    waiting, held = dict(names), dict[str, Problem | None]()
    end = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while waiting:
        for name, in_cluster in list(waiting.items()):
            problem = _evict_pods(nodes, in_cluster)
            if problem is None:
                del waiting[name]
            elif problem.code in _PERMANENT or time.monotonic() > end:
                del waiting[name]
                held[name] = problem
        if waiting and stop():
            return held | dict.fromkeys(waiting)
        if waiting:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    return held


def find_objection_to_eviction(pods: Sequence[PodOnNode]) -> Problem | None:
    """Return the problem if these pods must not be evicted: nothing recreates a pod without a controller."""
    unmanaged = [str(pod) for pod in pods if not pod.has_controller and not pod.ending]
    if not unmanaged:
        return None
    return Problem(
        code="drain-unmanaged-pods",
        message=f"no controller would recreate these pods: {', '.join(unmanaged)}",
        hint="delete them or run them in a Deployment, or drain the node yourself: kubectl drain NODE --force",
    )


def _evict_pods(nodes: ClusterNodes, name: str) -> Problem | None:
    """Evict the pods that may be evicted now; return the problem while the node is not empty."""
    pods = nodes.list_pods(name)
    if isinstance(pods, Problem):
        return pods
    problem = find_objection_to_eviction(pods)
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
        message=f"pods of node {name} were evicted and do not terminate: {', '.join(map(str, pods))}",
        hint=f"check these pods, and whether the kubelet of the node runs: kubectl describe node {name}",
    )

"""Pods that still wait for an image after a change: reported, and on request deleted, so that they are made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.secret import ALL_NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.pods.waiting import WaitingPod
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.secret import Namespaces
    from harbor_agent.planning.secrets.desired import DesiredSecret

_MOST_NAMES = 8
# MaxContainerBackOff in pkg/kubelet/kubelet.go; the API does not say when the next attempt is.
_LATER = "kubelet tries again within 5 minutes"


def handle_waiting_pods(
    policies: Sequence[Policy], secrets: Sequence[DesiredSecret], request: RunRequest, listener: Listener
) -> list[Problem]:
    """Return a warning about the pods that wait for an image of the registries of a run, if its cluster is known.

    `policies` are the general one and those of the nodes, `secrets` what the run writes into the cluster.
    All namespaces are searched, or those of the pull secrets if the user may not list the pods of all. If the request
    says so, pods that a controller makes again are deleted first, and reported as messages.
    """
    retry, kubeconfig = request.retry_pods, policies[0].kubeconfig
    registries = dict.fromkeys(registry.address for policy in policies for registry in policy.present)
    if not registries or not (kubeconfig or secrets or retry):
        return []
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    places = [desired.namespaces for desired in secrets]
    try:
        with open_cluster(kubeconfig, request.flags.context) as cluster:
            found = _list_pods(cluster, registries, places)
            if isinstance(found, Problem):
                return [found] if retry else []
            problems = _delete_pods(cluster, found, listener) if retry else []
    except AgentError as error:
        return [error.problem] if retry else []
    return [*problems, *([_describe(found, registries)] if found else [])]


def _list_pods(
    cluster: Cluster, registries: Collection[Address], places: Sequence[Namespaces]
) -> list[WaitingPod] | Problem:
    from harbor_agent.kubernetes.pods.waiting import list_waiting_pods  # noqa: PLC0415 - as above

    everywhere = list_waiting_pods(cluster.client, ALL_NAMESPACES, registries)
    if not isinstance(everywhere, Problem):
        return list(everywhere)
    if everywhere.code != "cluster-forbidden":
        return everywhere
    selected = [cluster.namespaces(place) for place in places]
    names = dict.fromkeys(name for some in selected if not isinstance(some, Problem) for name in some)
    found: list[WaitingPod] = []
    for name in names:
        answer = list_waiting_pods(cluster.client, name, registries)
        if isinstance(answer, Problem):
            return answer
        found += answer
    return found if names else everywhere


def _delete_pods(cluster: Cluster, found: list[WaitingPod], listener: Listener) -> list[Problem]:
    """Delete the pods that a controller makes again and remove them from `found`; return the problems."""
    from harbor_agent.kubernetes.pods.waiting import delete_waiting_pod  # noqa: PLC0415 - as above

    problems = []
    for pod in [pod for pod in found if pod.has_controller]:
        if problem := delete_waiting_pod(cluster.client, pod):
            problems.append(problem)
        else:
            found.remove(pod)
            listener(Message(text=f"deleted pod {pod}; its controller makes it again"))
    return problems


def _describe(pods: Sequence[WaitingPod], registries: Collection[Address]) -> Problem:
    more = len(pods) - _MOST_NAMES
    names = ", ".join(map(str, pods[:_MOST_NAMES])) + (f" and {more} more" if more > 0 else "")
    if any(pod.has_controller for pod in pods):
        hint = f"{_LATER}; to have those of controllers made again now, add --retry-pods"
    else:
        hint = f"{_LATER}; no controller makes these pods again"
    return Problem(
        code="pods-waiting-for-image",
        message=f"pods still wait for an image of {', '.join(address.entry for address in registries)}: {names}",
        hint=hint,
    )

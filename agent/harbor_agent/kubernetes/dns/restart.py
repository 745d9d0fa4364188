"""A rolling restart of a DNS server, as `kubectl rollout restart` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lightkube.resources.apps_v1 import DaemonSet, Deployment
from lightkube.types import PatchType

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt

if TYPE_CHECKING:
    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.kubernetes.kubeconfig.client import ApiClient

_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"


def restart_workload(client: ApiClient, workload: DnsWorkload, moment: str) -> Problem | None:
    """Let the workload replace its pods; `moment` (ISO 8601) is the value of kubectl's annotation for that."""
    intent = Intent(verb="patch", resource=f"{workload.kind}s", name=workload.name, namespace=workload.namespace)
    patch = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED_AT: moment}}}}}
    resource = Deployment if workload.kind == "deployment" else DaemonSet
    found = attempt(
        intent,
        lambda: client.patch(
            resource, workload.name, patch, namespace=workload.namespace, patch_type=PatchType.STRATEGIC
        ),
    )
    return found if isinstance(found, Problem) else None


def is_rolled_out(client: ApiClient, workload: DnsWorkload) -> bool | Problem:
    """Whether every pod of the workload is a new one and available (as `kubectl rollout status` decides)."""
    intent = Intent(verb="get", resource=f"{workload.kind}s", name=workload.name, namespace=workload.namespace)
    if workload.kind == "deployment":
        deployment = attempt(intent, lambda: client.get(Deployment, workload.name, namespace=workload.namespace))
        return deployment if isinstance(deployment, Problem) else _has_new_pods(deployment)
    daemon_set = attempt(intent, lambda: client.get(DaemonSet, workload.name, namespace=workload.namespace))
    return daemon_set if isinstance(daemon_set, Problem) else _has_new_pod_on_each_node(daemon_set)


def _has_new_pods(deployment: Deployment) -> bool:
    metadata, status = deployment.metadata, deployment.status
    if metadata is None or status is None or (status.observedGeneration or 0) < (metadata.generation or 0):
        return False
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    return (status.updatedReplicas or 0) == (status.replicas or 0) == (status.availableReplicas or 0) == wanted


def _has_new_pod_on_each_node(daemon_set: DaemonSet) -> bool:
    metadata, status = daemon_set.metadata, daemon_set.status
    if not metadata or status is None or (status.observedGeneration or 0) < (metadata.generation or 0):
        return False
    wanted = status.desiredNumberScheduled
    return (status.updatedNumberScheduled or 0) == (status.numberAvailable or 0) == wanted

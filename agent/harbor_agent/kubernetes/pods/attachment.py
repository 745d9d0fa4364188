"""Pods without the secret because they are older than its attachment: it is injected when a pod is created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightkube.models.core_v1 import PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from collections.abc import Collection

    from lightkube import Client

    from harbor_agent.model.secret import SecretSpec

_MOST_NAMES = 8
_FINISHED = frozenset({"Succeeded", "Failed"})


def find_pods_to_recreate(
    client: Client, spec: SecretSpec, namespace: str, accounts: Collection[str]
) -> Problem | None:
    """Return a warning about pods of these service accounts that use the registry and have no pull secret.

    None without such pods, or if the user may not list pods: nothing depends on it.
    """
    intent = Intent(verb="list", resource="pods", namespace=namespace)
    found = attempt(intent, lambda: tuple(client.list(Pod, namespace=namespace)))
    if isinstance(found, Problem):
        return None
    older = [name for pod in found if (name := _find_name_if_older(pod, spec, accounts))]
    if not older:
        return None
    more = len(older) - _MOST_NAMES
    names = ", ".join(older[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return Problem(
        code="pods-without-secret",
        message=f"pods in namespace {namespace} were created before the secret was attached: {names}",
        hint=f"restart them to use it: kubectl -n {namespace} rollout restart deployment NAME, or delete the pods",
    )


def _find_name_if_older(pod: Pod, spec: SecretSpec, accounts: Collection[str]) -> str:
    pod_spec = pod.spec or PodSpec(containers=[])
    if (pod_spec.serviceAccountName or "default") not in accounts or pod_spec.imagePullSecrets:
        return ""
    if pod.status and pod.status.phase in _FINISHED:
        return ""
    containers = [*pod_spec.containers, *(pod_spec.initContainers or [])]
    uses_it = any(PodContainer(name="", image=container.image or "").is_from(spec.address) for container in containers)
    return ((pod.metadata or ObjectMeta()).name or "") if uses_it else ""

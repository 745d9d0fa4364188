"""Pods that wait for an image because kubelet could not pull it, and their deletion if a controller makes them again.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightkube.models.core_v1 import PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from harbor_agent.errors import Problem
from harbor_agent.formats.secret_record import ObjectIdentity
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.model.address import Address

_PAGE_SIZE = 500
_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPod:
    """A pod that waits for an image; `has_controller`: something makes it again if it is deleted."""

    identity: ObjectIdentity
    reason: str
    has_controller: bool

    def __str__(self) -> str:
        """Return NAMESPACE/NAME and kubelet's reason."""
        return f"{self.identity.namespace}/{self.identity.name} ({self.reason})"


def list_waiting_pods(
    client: ApiClient, namespace: str, registries: Collection[Address]
) -> tuple[WaitingPod, ...] | Problem:
    """Return the pods of a namespace, "*" for all, that wait for an image of one of these registries."""
    intent = Intent(verb="list", resource="pods", namespace="" if namespace == "*" else namespace)
    found = attempt(intent, lambda: tuple(client.list(Pod, namespace=namespace, chunk_size=_PAGE_SIZE)))
    if isinstance(found, Problem):
        return found
    return tuple(_read(pod, reason) for pod in found if (reason := _find_reason(pod, registries)))


def delete_waiting_pod(client: ApiClient, pod: WaitingPod) -> Problem | None:
    """Delete exactly this pod, not one that has its name since."""
    identity = pod.identity
    intent = Intent(verb="delete", resource="pods", name=identity.name, namespace=identity.namespace)
    return attempt(intent, lambda: client.delete_exactly(Pod, identity))


def _find_reason(pod: Pod, registries: Collection[Address]) -> str:
    """Return why the pod waits for an image of the registries, "" if it does not."""
    spec, status = pod.spec or PodSpec(containers=[]), pod.status or PodStatus()
    images = {one.name: one.image or "" for one in [*spec.containers, *(spec.initContainers or [])]}
    for one in [*(status.initContainerStatuses or []), *(status.containerStatuses or [])]:
        reason = (one.state and one.state.waiting and one.state.waiting.reason) or ""
        container = PodContainer(name=one.name, image=images.get(one.name, ""))
        if reason in _WAITING and any(container.is_from(address) for address in registries):
            return reason
    return ""


def _read(pod: Pod, reason: str) -> WaitingPod:
    metadata = pod.metadata or ObjectMeta()
    identity = ObjectIdentity(namespace=metadata.namespace or "", name=metadata.name or "", uid=metadata.uid or "")
    # A Node owns the mirrors of static pods, and makes nothing.
    has_controller = any(owner.controller and owner.kind != "Node" for owner in metadata.ownerReferences or [])
    return WaitingPod(
        identity=identity, reason=reason, has_controller=has_controller and not metadata.deletionTimestamp
    )

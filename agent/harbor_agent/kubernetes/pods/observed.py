"""One pod, read for what its kubelet says about its images; nothing is changed.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lightkube.models.core_v1 import PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event, Pod

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.pods.proof import read_container
from harbor_agent.model.workloads.pod import ContainerState, ObservedPod, PulledContainer

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.core.client import FieldSelector

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_pod(client: Client, namespace: str, name: str) -> ObservedPod | Problem:
    """Return the pod without its events."""
    intent = Intent(verb="get", resource="pods", name=name, namespace=namespace)
    found = attempt(intent, lambda: client.get(Pod, name, namespace=namespace))
    if isinstance(found, Problem):
        return found
    metadata, spec = found.metadata or ObjectMeta(), found.spec or PodSpec(containers=[])
    status = found.status or PodStatus()
    conditions = {one.type: one.message or "" for one in status.conditions or []}
    return ObservedPod(
        namespace=namespace,
        name=name,
        uid=metadata.uid or "",
        node=spec.nodeName or "",
        unscheduled="" if spec.nodeName else conditions.get("PodScheduled", ""),
        service_account=spec.serviceAccountName or "default",
        pull_secrets=tuple(one.name for one in spec.imagePullSecrets or [] if one.name),
        containers=_list_containers(spec, status),
    )


def add_events(client: Client, pod: ObservedPod) -> ObservedPod | Problem:
    """Return the pod with the warnings about it and its containers; needs the right to list events."""
    fields: FieldSelector = {"involvedObject.name": pod.name, "type": "Warning"}
    found = attempt(
        Intent(verb="list", resource="events", namespace=pod.namespace),
        lambda: tuple(client.list(Event, namespace=pod.namespace, fields=fields)),
    )
    if isinstance(found, Problem):
        return found
    # another pod may have had this name
    own = [one for one in found if one.involvedObject.uid in (None, "", pod.uid)]
    own.sort(key=lambda one: one.lastTimestamp or one.eventTime or _LONG_AGO, reverse=True)
    said = [(one.involvedObject.fieldPath or "", one.message) for one in own if one.message]
    containers = (
        replace(one, events=tuple(text for path, text in said if path.endswith(f"{{{one.state.name}}}")))
        for one in pod.containers
    )
    return replace(pod, containers=tuple(containers), events=tuple(text for path, text in said if not path))


def _list_containers(spec: PodSpec, status: PodStatus) -> tuple[PulledContainer, ...]:
    states = {
        one.name: read_container(one)
        for some in (status.initContainerStatuses, status.containerStatuses)
        for one in some or []
    }
    named = [*(spec.initContainers or []), *spec.containers]
    return tuple(
        PulledContainer(state=states.get(one.name, ContainerState(name=one.name)), image=one.image or "")
        for one in named
    )

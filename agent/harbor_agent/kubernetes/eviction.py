"""Evicting pods from a node with the Eviction API, as kubectl drain does: PodDisruptionBudgets are respected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
from lightkube import ApiError
from lightkube.config.client_adapter import Client as HttpClient
from lightkube.config.client_adapter import ConnectionParams
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod, PodEviction

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.kubeconfig.transport import build_transport

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.models.core_v1 import PodStatus

_MIRROR = "kubernetes.io/config.mirror"
_FINISHED = frozenset({"Succeeded", "Failed"})
_TOO_MANY_REQUESTS = 429
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOnNode:
    """A pod that a drain evicts. Without a controller, nothing starts it again elsewhere.

    `ending` is true as soon as its deletion was requested.
    """

    namespace: str
    name: str
    has_controller: bool
    ending: bool

    def __str__(self) -> str:
        """Return NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"


class Evictions:
    """A client of the version of the Eviction API that the server has."""

    def __init__(self, client: Client, *, timeout: float) -> None:
        """Keep the client; no request is sent yet. `timeout` is seconds for each step of a request."""
        self._client = client
        self._timeout = timeout
        self._version: str | None = None

    def discover(self) -> Problem | None:
        """Find out the version of the API: policy/v1 since Kubernetes 1.22, policy/v1beta1 before it.

        The list of core resources names it beside `pods/eviction`. Returns why it was not found.
        """
        found = attempt(Intent(verb="get", resource="/api/v1"), self._read_version)
        if isinstance(found, Problem):
            return found
        if not found:
            return Problem(
                code="drain-unsupported",
                message="the cluster has no Eviction API",
                hint="Kubernetes has it since 1.7; drain the nodes yourself, or run without --drain",
            )
        self._version = found
        return None

    def list_pods(self, node: str) -> tuple[PodOnNode, ...] | Problem:
        """Return the pods of a node in the server's order, except static, DaemonSet and finished pods."""
        intent = Intent(verb="list", resource="pods")
        found = attempt(intent, lambda: tuple(self._client.list(Pod, namespace="*", fields={"spec.nodeName": node})))
        if isinstance(found, Problem):
            return found
        return tuple(_read_pod(pod) for pod in found if _must_leave(pod))

    def evict(self, pod: PodOnNode) -> Problem | None:
        """Request the eviction; None if it is under way or the pod does not exist any more.

        The problem is `drain-blocked` if a PodDisruptionBudget does not allow it now; it may later.
        """
        if self._version is None:
            problem = self.discover()
            if problem:
                return problem
        eviction = PodEviction(metadata=ObjectMeta(name=pod.name, namespace=pod.namespace))
        eviction.apiVersion = self._version

        def send() -> Problem | None:
            try:
                self._client.create(eviction, pod.name, namespace=pod.namespace)
            except ApiError as error:
                if error.status.code == _TOO_MANY_REQUESTS:
                    return _describe_blocked(pod, error)
                if error.status.code != _NOT_FOUND:
                    raise
            return None

        return attempt(Intent(verb="create", resource="pods/eviction", name=pod.name, namespace=pod.namespace), send)

    def _read_version(self) -> str:
        config = self._client.config
        parameters = ConnectionParams(timeout=httpx2.Timeout(self._timeout), transport=build_transport(config))
        with HttpClient(config, parameters) as http:
            answer = http.get("api/v1")
            answer.raise_for_status()
            for resource in answer.json()["resources"]:
                if resource["name"] == "pods/eviction":
                    return f"{resource['group']}/{resource['version']}"
        return ""


def _must_leave(pod: Pod) -> bool:
    metadata = pod.metadata or ObjectMeta()
    status: PodStatus | None = pod.status
    if _MIRROR in (metadata.annotations or {}) or (status and status.phase in _FINISHED):
        return False
    return not any(owner.controller and owner.kind == "DaemonSet" for owner in metadata.ownerReferences or [])


def _read_pod(pod: Pod) -> PodOnNode:
    metadata = pod.metadata or ObjectMeta()
    return PodOnNode(
        namespace=metadata.namespace or "",
        name=metadata.name or "",
        has_controller=any(owner.controller for owner in metadata.ownerReferences or []),
        ending=metadata.deletionTimestamp is not None,
    )


def _describe_blocked(pod: PodOnNode, error: ApiError) -> Problem:
    """Quote the server's cause, which names the budget, if it gave one."""
    causes = (error.status.details and error.status.details.causes) or []
    reason = next(
        (c.message for c in causes if c.reason == "DisruptionBudget" and c.message), error.status.message or ""
    )
    return Problem(code="drain-blocked", message=f"cannot evict pod {pod}: {reason}")

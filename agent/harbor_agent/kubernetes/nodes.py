"""The cluster's nodes: Ready or not, cordoned by whom, and cordoning them with a note on the node.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Node
from lightkube.types import PatchType

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.eviction import Evictions
from harbor_agent.kubernetes.kubeconfig.client import open_client
from harbor_agent.kubernetes.rbac import Rule, build_role_hint, describe_missing_right

if TYPE_CHECKING:
    from types import TracebackType

    from lightkube import Client
    from lightkube.models.core_v1 import NodeCondition

    from harbor_agent.kubernetes.eviction import PodOnNode

CORDONED_BY: Final = "harbor-agent/cordoned-by"
_LEASES = "kube-node-lease"  # since 1.14, each kubelet renews one every 10 s
_WRITE_FOR = 30.0
_RULES = (
    Rule(resource="nodes", verbs=("get", "list", "patch")),
    Rule(resource="pods", verbs=("list",)),
    Rule(resource="pods/eviction", verbs=("create",)),
    Rule(group="coordination.k8s.io", resource="leases", verbs=("get",)),
)
_NEEDED = (("list", "nodes"), ("get", "nodes"), ("patch", "nodes"), ("list", "pods"), ("create", "pods/eviction"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """One Node object. `cordoned_by` is the run of ours that cordoned it, "" if none did.

    `addresses` are its names and addresses, `boot_id` the machine's as kubelet last reported it. `runtime_version`
    is the container runtime that kubelet reports, such as "containerd://1.6.20". `sign_of_life` is a
    text that changes when kubelet reports again, None if that cannot be seen in time. `unready_reason` is the
    cluster's message about a node that is not Ready, `uid` the identity of the object.
    """

    name: str
    ready: bool
    cordoned: bool
    cordoned_by: str
    addresses: tuple[str, ...]
    boot_id: str
    resource_version: str
    runtime_version: str = ""
    sign_of_life: str | None = None
    unready_reason: str = ""
    uid: str = ""


def open_cluster_nodes(kubeconfig: str | None, context: str | None, *, timeout: float = 10.0) -> ClusterNodes:
    """Return the cluster's nodes; no request is sent yet. Raises UsageError for an invalid kubeconfig.

    `timeout` is seconds for each step of a request.
    """
    return ClusterNodes(open_client(kubeconfig, context, timeout=timeout), timeout=timeout)


class ClusterNodes:
    """The nodes of an open cluster; a context manager. Errors are returned as a `Problem`, never raised."""

    def __init__(self, client: Client, *, timeout: float) -> None:
        """Take over the client, which `close` closes."""
        self._client = client
        self._evictions = Evictions(client, timeout=timeout)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def all(self) -> tuple[ClusterNode, ...] | Problem:
        """Return every node of the cluster, without signs of life."""
        intent = Intent(verb="list", resource="nodes")
        found = attempt(intent, lambda: tuple(self._client.list(Node)))
        return found if isinstance(found, Problem) else tuple(_read_node(node, None) for node in found)

    def get(self, name: str) -> ClusterNode | Problem:
        """Return one node as it is now, with its sign of life."""
        found = attempt(Intent(verb="get", resource="nodes", name=name), lambda: self._client.get(Node, name))
        return found if isinstance(found, Problem) else _read_node(found, self._read_renewal(name))

    def find_missing_right(self) -> Problem | None:
        """Return the first right for a drain that the user lacks, with a manifest that grants all; None if none.

        Also returns why the cluster cannot be reached.
        """
        for verb, resource in _NEEDED:
            plural, _, subresource = resource.partition("/")
            attributes = ResourceAttributes(verb=verb, resource=plural, subresource=subresource or None)
            review = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=attributes))
            intent = Intent(verb="create", resource="selfsubjectaccessreviews")
            answer = attempt(intent, lambda review=review: self._client.create(review))  # type: ignore[misc]
            if isinstance(answer, Problem):
                return answer
            if answer.status and not answer.status.allowed:
                return Problem(
                    code="cluster-forbidden",
                    message=describe_missing_right("", str(Intent(verb=verb, resource=resource))),
                    hint=build_role_hint("harbor-agent-drain", _RULES, namespace="", user="USER"),
                )
        return self._evictions.discover()

    def cordon(self, node: ClusterNode, run_id: str) -> bool | Problem:
        """Cordon the node and note on it that `run_id` did.

        Returns False, and changes nothing, if somebody else cordoned it. A cordon of an earlier run of ours is
        taken over.
        """
        now: ClusterNode | Problem = node
        end = time.monotonic() + _WRITE_FOR
        while not isinstance(now, Problem):
            if now.cordoned and not now.cordoned_by:
                return False
            problem = self._patch_cordon(now, run_id)
            if problem is None:
                return True
            if problem.code != "cluster-conflict" or time.monotonic() > end:
                return problem
            now = self.get(node.name)
        return now

    def uncordon(self, name: str, run_id: str) -> Problem | None:
        """Uncordon the node, unless its cordon is no longer that of `run_id`. Tries for 30 s."""
        end = time.monotonic() + _WRITE_FOR
        while True:
            now = self.get(name)
            problem = now if isinstance(now, Problem) else None
            if not isinstance(now, Problem):
                if now.cordoned_by != run_id:
                    return None
                problem = self._patch_cordon(now, None)
            if problem is None or problem.code == "cluster-forbidden" or time.monotonic() > end:
                return problem
            time.sleep(0.2)

    def list_pods(self, name: str) -> tuple[PodOnNode, ...] | Problem:
        """Return the pods of a node that a drain evicts: all except static, DaemonSet and finished pods."""
        return self._evictions.list_pods(name)

    def evict(self, pod: PodOnNode) -> Problem | None:
        """Request the pod's eviction; None if it is under way or the pod does not exist any more."""
        return self._evictions.evict(pod)

    def _read_renewal(self, name: str) -> str | None:
        intent = Intent(verb="get", resource="leases", name=name, namespace=_LEASES)
        lease = attempt(intent, lambda: self._client.get(Lease, name, namespace=_LEASES))
        if isinstance(lease, Problem) or lease.spec is None or lease.spec.renewTime is None:
            return None
        return str(lease.spec.renewTime)

    def _patch_cordon(self, node: ClusterNode, run_id: str | None) -> Problem | None:
        """Cordon for a run, or uncordon (None); a conflict if the node was written since it was read."""
        metadata = {"annotations": {CORDONED_BY: run_id}, "resourceVersion": node.resource_version}
        patch = {"spec": {"unschedulable": True if run_id else None}, "metadata": metadata}
        done = attempt(
            Intent(verb="patch", resource="nodes", name=node.name),
            lambda: self._client.patch(Node, node.name, patch, patch_type=PatchType.MERGE),
        )
        return done if isinstance(done, Problem) else None


def _read_node(node: Node, renewed: str | None) -> ClusterNode:
    metadata, spec, status = node.metadata, node.spec, node.status
    ready = _find_ready((status and status.conditions) or [])
    labels = (metadata and metadata.labels) or {}
    addresses = [address.address for address in (status and status.addresses) or []]
    hostname = labels.get("kubernetes.io/hostname")
    return ClusterNode(
        name=(metadata and metadata.name) or "",
        ready=ready is not None and ready.status == "True",
        cordoned=bool(spec and spec.unschedulable),
        cordoned_by=((metadata and metadata.annotations) or {}).get(CORDONED_BY, ""),
        addresses=tuple(dict.fromkeys([*addresses, *([hostname] if hostname else [])])),
        boot_id=(status and status.nodeInfo and status.nodeInfo.bootID) or "",
        resource_version=(metadata and metadata.resourceVersion) or "",
        runtime_version=(status and status.nodeInfo and status.nodeInfo.containerRuntimeVersion) or "",
        sign_of_life=f"{renewed} {ready.lastHeartbeatTime if ready else ''}" if renewed else None,
        unready_reason=(ready and ready.status != "True" and ready.message) or "",
        uid=(metadata and metadata.uid) or "",
    )


def _find_ready(conditions: list[NodeCondition]) -> NodeCondition | None:
    return next((condition for condition in conditions if condition.type == "Ready"), None)

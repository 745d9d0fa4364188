"""Nodes and pods of an API server that has no kubelet, and what a kubelet would do about them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MERGE = "application/merge-patch+json"
_CONTROLLERS = {"ReplicaSet": "apps/v1", "DaemonSet": "apps/v1"}


class Api(Protocol):
    """An API server that can be asked as its administrator."""

    def ask(self, method: str, path: str, document: object = None, *, kind: str = "application/json") -> dict[str, Any]:
        """Return what it answers. Raises HTTPError for anything but success."""
        ...


def add_node(
    api: Api,
    name: str,
    *,
    ready: bool = True,
    cordoned: bool = False,
    address: str = "192.0.2.1",
    boot_id: str = "",
    runtime: str = "lab",
    annotations: Mapping[str, str] | None = None,
) -> str:
    """Create a Node as its kubelet would; return its name."""
    node = {"metadata": {"name": name, "annotations": dict(annotations or {})}, "spec": {"unschedulable": cordoned}}
    api.ask("POST", "/api/v1/nodes", node)
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
    info = dict.fromkeys(_NODE_INFO, "lab") | {"bootID": boot_id, "containerRuntimeVersion": runtime}
    api.ask(
        "PATCH", f"/api/v1/nodes/{name}/status", {"status": {"addresses": addresses, "nodeInfo": info}}, kind=_MERGE
    )
    set_ready(api, name, ready=ready)
    return name


_NODE_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)


def set_ready(api: Api, name: str, *, ready: bool) -> None:
    """Report the node's condition Ready."""
    condition = {"type": "Ready", "status": str(ready), "lastHeartbeatTime": _now(), "lastTransitionTime": _now()}
    api.ask("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}}, kind=_MERGE)


def add_pod(
    api: Api,
    node: str,
    name: str,
    *,
    namespace: str = "default",
    controller: str | None = "ReplicaSet",
    phase: str = "Running",
    annotations: Mapping[str, str] | None = None,
    image: str = "example.org/none",
    pull_secret: str = "",
    account: str = "default",
) -> str:
    """Create a pod on a node, labelled `app: NAME`; return NAMESPACE/NAME."""
    metadata: dict[str, object] = {"name": name, "labels": {"app": name}, "annotations": dict(annotations or {})}
    if controller:
        owner = {"apiVersion": _CONTROLLERS[controller], "kind": controller, "name": "owner", "uid": "1"}
        metadata["ownerReferences"] = [owner | {"controller": True}]
    spec = {"nodeName": node, "serviceAccountName": account, "containers": [{"name": "main", "image": image}]}
    if pull_secret:
        spec["imagePullSecrets"] = [{"name": pull_secret}]
    pods = f"/api/v1/namespaces/{namespace}/pods"
    api.ask("POST", pods, {"metadata": metadata, "spec": spec})
    # a budget guards pods that are ready, no others
    conditions = [{"type": "Ready", "status": str(phase == "Running")}]
    api.ask("PATCH", f"{pods}/{name}/status", {"status": {"phase": phase, "conditions": conditions}}, kind=_MERGE)
    return f"{namespace}/{name}"


def add_budget(api: Api, pod: str, *, allowed: int, namespace: str = "default", version: str = "v1beta1") -> str:
    """Create a PodDisruptionBudget for the pods labelled `app: POD`; return its name. Its controller is not there."""
    name = f"keep-{pod}"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": pod}}}
    budgets = f"/apis/policy/{version}/namespaces/{namespace}/poddisruptionbudgets"
    api.ask("POST", budgets, {"metadata": {"name": name}, "spec": spec})
    allow(api, pod, allowed=allowed, namespace=namespace, version=version)
    return name


def allow(api: Api, pod: str, *, allowed: int, namespace: str = "default", version: str = "v1beta1") -> None:
    """Let a budget allow so many disruptions, as its controller would."""
    counts = {"currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": allowed}
    path = f"/apis/policy/{version}/namespaces/{namespace}/poddisruptionbudgets/keep-{pod}/status"
    api.ask("PATCH", path, {"status": counts | {"observedGeneration": 1}}, kind=_MERGE)


def pods_on(api: Api, node: str) -> set[str]:
    """Return the pods that are on a node, NAMESPACE/NAME."""
    return {f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in _pods(api, node)}


@contextmanager
def running_kubelet(api: Api, node: str, *, lease: bool = False) -> Iterator[None]:
    """End pods of the node that were asked to end, and renew its lease, until the block ends."""
    over = threading.Event()

    def live() -> None:
        while not over.wait(0.05):
            for pod in _pods(api, node):
                if pod["metadata"].get("deletionTimestamp"):
                    _end(api, pod)
            if lease:
                renew_lease(api, node)

    thread = threading.Thread(target=live, name=f"kubelet of {node}")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def renew_lease(api: Api, node: str) -> None:
    """Say that the node's kubelet is alive."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    spec = {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": _now(microseconds=True)}
    try:
        api.ask("PATCH", f"{path}/{node}", {"spec": spec}, kind=_MERGE)
    except HTTPError as error:
        if error.code != 404:
            raise
        api.ask("POST", path, {"metadata": {"name": node}, "spec": spec})


def _end(api: Api, pod: dict[str, Any]) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    try:
        api.ask("DELETE", path, {"gracePeriodSeconds": 0})
    except HTTPError as error:
        if error.code != 404:
            raise


def _pods(api: Api, node: str) -> list[dict[str, Any]]:
    return api.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")["items"]


def _now(*, microseconds: bool = False) -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if microseconds else "%Y-%m-%dT%H:%M:%SZ")

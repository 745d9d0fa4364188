"""A real cluster: a node with Docker and one with containerd, kubelet on both, and a registry that wants a login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import IMAGE, PULLER, Site
from tests.lab.cluster import CNI, exists, running_cluster, wait_account
from tests.lab.images import program_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until
from tests.needs import cluster_assets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster and what stands beside it. Pods run `site.image`, whose program waits until it is stopped."""

    site: Site
    api: RunningApiServer

    @property
    def nodes(self) -> tuple[LabNode, ...]:
        """The node with Docker and the one with containerd."""
        return self.site.lab.nodes

    def create_namespace(self, name: str, *, labels: Mapping[str, str] | None = None) -> str:
        """Create a namespace and wait until pods may be created there; return its name."""
        self.api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}})
        wait_account(self.api, name)
        return name

    def wait_end_of_namespace(self, name: str) -> None:
        """Wait until a namespace that was deleted is gone, with all that it held."""
        wait_until(lambda: not exists(self.api, f"/api/v1/namespaces/{name}"), f"namespace {name} is gone", seconds=180)

    def create_pod(self, namespace: str, name: str, node: LabNode, *, image: str = "") -> None:
        """Create a pod on a node that names no secret and always pulls, unless an image that is there is given."""
        container = {
            "name": "box",
            "image": image or self.site.image,
            "imagePullPolicy": "Never" if image else "Always",
        }
        spec = {"nodeName": node.name, "terminationGracePeriodSeconds": 1, "containers": [container]}
        self.api.ask("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": name}, "spec": spec})

    def create_deployment(self, namespace: str, name: str, node: LabNode, *, replicas: int = 1) -> None:
        """Create a Deployment whose pods run on `node`, name no secret and always pull."""
        labels = {"app": name}
        container = {"name": "box", "image": self.site.image, "imagePullPolicy": "Always"}
        spec = {
            "nodeSelector": {"kubernetes.io/hostname": node.name},
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
        }
        document = {
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        self.api.ask("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", document)

    def pod(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a pod as it is now."""
        return self.api.ask("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def wait_pod(self, namespace: str, name: str, *states: str, seconds: float = 90) -> None:
        """Wait until kubelet gives one of `states`: a phase, or the reason why the container waits."""

        def reached() -> bool:
            status = self.pod(namespace, name)["status"]
            waiting = [one["state"].get("waiting", {}) for one in status.get("containerStatuses", ())]
            return bool({status["phase"], *(one.get("reason") for one in waiting)} & set(states))

        try:
            wait_until(reached, f"pod {name} is {' or '.join(states)}", seconds=seconds, every=0.2)
        except TimeoutError as error:
            error.add_note(f"{self.pod(namespace, name)['status']}\n{self.events(namespace, name)}")
            raise

    def list_pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Return the pods with these labels that are not being deleted; the selector is part of a URL."""
        found = self.api.ask("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def delete_bare_pods(self, node: LabNode) -> None:
        """Delete the pods of a node that no controller makes again: they would hold a drain."""
        for pod in self.api.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node.name}")["items"]:
            if "ownerReferences" not in pod["metadata"]:
                path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
                self.api.ask("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})

    def wait_rollout(self, namespace: str, name: str) -> None:
        """Wait until all pods of a Deployment are of its latest template and Ready."""

        def is_complete() -> bool:
            found = self.api.ask("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
            status, replicas = found.get("status", {}), found["spec"]["replicas"]
            counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
            return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {replicas}

        wait_until(is_complete, f"Deployment {name} is rolled out", seconds=90, every=0.2)

    def events(self, namespace: str, name: str) -> str:
        """Return what kubelet and the others say about a pod, a line each."""
        found = self.api.ask("GET", f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}")
        return "\n".join(one["message"] for one in found["items"])


def _keep_images_in_memory(node: LabNode) -> None:
    # On the root of a node, an overlay, Docker copies the whole image for each container, twice.
    if node.shape == "docker.io":
        (node.root / "etc/fstab").write_text("tmpfs /var/lib/docker tmpfs mode=711 0 0\n")


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with (
        Lab(shapes=("docker.io", "containerd"), packages=CNI, prepare=_keep_images_in_memory) as lab,
        running_registry(
            lab.folder / "registry",
            authentication="htpasswd",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
        running_cluster(lab) as api,
    ):
        registry.push(*IMAGE.split(":"), root=program_root(cluster_assets() / "pause"), command=("/pause",))
        yield Cluster(site=Site(lab=lab, registry=registry), api=api)

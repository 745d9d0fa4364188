"""A real cluster on a lab's nodes: API server, controllers and scheduler beside them, kubelet on each.

    with Lab(shapes=("docker.io", "containerd"), packages=CNI) as lab, running_cluster(lab) as cluster:
        cluster.ask("POST", "/api/v1/namespaces/default/pods", pod)

Pods run and pull as on any cluster. kube-proxy and DNS are not there, and pods of two nodes do not reach each other.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from tests.lab.apiserver import running_apiserver, running_program
from tests.lab.cri import PAUSE
from tests.lab.images import image_archive, program_root
from tests.lab.shapes import CONTAINERD
from tests.lab.waiting import wait_until
from tests.needs import cluster_assets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab

CNI = ("containernetworking-plugins",)  # what a node with containerd needs for pods
PAUSE_IMAGE = "lab.invalid/pause:1"  # on every node; its program waits until it is stopped
_START_KUBELET = Path(__file__).with_name("start_kubelet.sh")
_CONTROLLERS, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"


@contextmanager
def running_cluster(lab: Lab) -> Iterator[RunningApiServer]:
    """Make a cluster of a lab's nodes until the block ends; all of them are Ready when it begins."""
    users = {"controllers": (_CONTROLLERS, ""), "scheduler": (_SCHEDULER, "")}
    users |= {node.name: (f"system:node:{node.name}", "system:nodes") for node in lab.nodes}
    options = (
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",  # for logs; no server knows the nodes' names
    )
    folder = lab.folder / "cluster"
    with ExitStack() as stack:
        server = stack.enter_context(
            running_apiserver(
                folder, *options, host=lab.address, namespace=lab.name, users=users, without_controllers=False
            )
        )
        for name, own in _control_plane(server).items():
            stack.enter_context(running_program(cluster_assets() / name, own, folder, lab.name))
        for node in lab.nodes:
            _start_kubelet(node, server)
        # the first work of the controllers
        wait_account(server, "default")
        for node in lab.nodes:
            wait_until(lambda name=node.name: is_ready(server, name), f"{node.name} is Ready", seconds=60)  # type: ignore[misc]
        yield server


def wait_account(server: RunningApiServer, namespace: str) -> None:
    """Wait until pods may be created in a namespace: the API server rejects one whose account has no token yet."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    wait_until(
        lambda: exists(server, path) and bool(server.ask("GET", path).get("secrets")),
        f"namespace {namespace} has an account with a token",
        seconds=60,
    )


def exists(server: RunningApiServer, path: str) -> bool:
    """Return whether the API has an object at `path`."""
    try:
        server.ask("GET", path)
    except HTTPError as error:
        if error.code != 404:
            raise
        return False
    return True


def is_ready(server: RunningApiServer, node: str) -> bool:
    """Return whether the node has the condition Ready."""
    nodes = server.ask("GET", "/api/v1/nodes")["items"]
    conditions = [one for each in nodes if each["metadata"]["name"] == node for one in each["status"]["conditions"]]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _control_plane(server: RunningApiServer) -> dict[str, list[str]]:
    folder = server.directory
    # Leader election costs 15 s at a start, and the plain ports are fixed ones.
    common = ["--leader-elect=false", "--port=0", "--bind-address=127.0.0.1"]
    return {
        "kube-controller-manager": [
            *common,
            f"--kubeconfig={server.kubeconfig('controllers')}",
            f"--cert-dir={folder / 'certs-controllers'}",
            "--secure-port=10257",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={folder / 'sa.key'}",
            f"--root-ca-file={folder / 'certs/apiserver.crt'}",
            "--node-monitor-grace-period=12s",
            "--node-monitor-period=2s",
        ],
        "kube-scheduler": [
            *common,
            f"--kubeconfig={server.kubeconfig('scheduler')}",
            f"--cert-dir={folder / 'certs-scheduler'}",
            "--secure-port=10259",
        ],
    }


def _start_kubelet(node: LabNode, server: RunningApiServer) -> None:
    shutil.copy(cluster_assets() / "kubelet", node.root / "usr/local/bin/kubelet")
    settings = node.root / "etc/kubernetes"
    settings.mkdir(exist_ok=True)
    shutil.copy(server.kubeconfig(node.name), settings / "kubelet.kubeconfig")
    # It would come from the registry, before a pod's own image.
    runtime, load = "docker", "docker load -q"
    if node.shape in CONTAINERD:
        runtime, load = "containerd", "ctr -n k8s.io images import -"
    names = (PAUSE_IMAGE, *PAUSE)
    node.run(load, stdin=image_archive(program_root(cluster_assets() / "pause"), names, ("/pause",)))
    node.run(f"sh -s {runtime} {node.name} {node.address}", stdin=_START_KUBELET.read_bytes())

"""What each runtime brings to the programs on a node: its parts of them, and the decoder of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.node.wire.containerd import decode_containerd, decode_k3s, decode_rke2
from harbor_agent.node.wire.containers_image import decode_crio, decode_podman
from harbor_agent.node.wire.docker import decode_docker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.runtimes.containerd import ContainerdState, K3sState
    from harbor_agent.model.runtimes.containers_image import ContainersImageState
    from harbor_agent.model.runtimes.docker import DockerState

    RuntimeState = DockerState | ContainerdState | K3sState | ContainersImageState


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeParts:
    """One runtime's texts in node/programs, and the decoder of what its probe printed.

    `transaction` are the functions that transaction.sh calls, the last parts of `pull` and `login` are programs of
    their own; a runtime without logins of its own has no `login`. `decode`
    takes the name of the unit, the blocks by name and the ctime of each file, and also returns what could not be read.
    Raises WireError.
    """

    probe: tuple[str, ...]
    transaction: tuple[str, ...]
    pull: tuple[str, ...]
    decode: Callable[[str, Mapping[str, bytes], Mapping[str, int]], tuple[RuntimeState, tuple[Problem, ...]]]
    login: tuple[str, ...] = ()


# The runtime of a transaction that names none: older builds knew only one.
UNNAMED = "docker"
# k3s and RKE2 are one program for the node, but for their names.
_RANCHER_TRANSACTION = (
    *("kubelet.sh", "cri/client.sh", "containerd/client.sh", "containerd/answers.sh", "containerd/health.sh"),
    *("containerd/workloads.sh", "rancher/daemon.sh"),
)
_CONTAINERD_PULL = (
    *("names/pull.sh", "kubelet.sh", "cri/client.sh", "containerd/client.sh", "containerd/pull.sh", "cri/pull.sh"),
)
RUNTIMES: Mapping[str, RuntimeParts] = {
    "docker": RuntimeParts(
        probe=("docker/client.sh", "docker/socket.sh", "docker/probe.sh"),
        transaction=(
            "docker/client.sh",
            "docker/daemon.sh",
            "docker/validation.sh",
            "docker/containers.sh",
            "docker/live_restore.sh",
            "docker/revoke.sh",
        ),
        pull=("names/pull.sh", "docker/client.sh", "login/folder.sh", "docker/pull.sh"),
        login=("docker/client.sh", "login/folder.sh", "docker/login.sh"),
        decode=decode_docker,
    ),
    # Before containerd: its probe leaves theirs to them.
    "k3s": RuntimeParts(
        probe=("rancher/probe.sh",), transaction=_RANCHER_TRANSACTION, pull=_CONTAINERD_PULL, decode=decode_k3s
    ),
    "rke2": RuntimeParts(probe=(), transaction=_RANCHER_TRANSACTION, pull=_CONTAINERD_PULL, decode=decode_rke2),
    # After Docker: its probe uses what Docker's found.
    "containerd": RuntimeParts(
        probe=("cri/client.sh", "containerd/client.sh", "containerd/probe.sh"),
        transaction=(
            "kubelet.sh",
            "cri/client.sh",
            "containerd/client.sh",
            "containerd/answers.sh",
            "containerd/daemon.sh",
            "containerd/health.sh",
            "containerd/validation.sh",
            "containerd/workloads.sh",
        ),
        pull=_CONTAINERD_PULL,
        decode=decode_containerd,
    ),
    # After containerd: their probes use what is in its parts.
    "cri-o": RuntimeParts(
        probe=("containers_image/files.sh", "crio/client.sh", "crio/probe.sh"),
        transaction=("cri/client.sh", "crio/client.sh", "containers_image/daemon.sh", "crio/daemon.sh"),
        pull=("names/pull.sh", "kubelet.sh", "cri/client.sh", "crio/client.sh", "crio/pull.sh", "cri/pull.sh"),
        decode=decode_crio,
    ),
    "podman": RuntimeParts(
        probe=("podman/client.sh", "podman/probe.sh"),
        transaction=("podman/client.sh", "containers_image/daemon.sh", "podman/daemon.sh"),
        pull=("podman/client.sh", "login/folder.sh", "podman/pull.sh"),
        decode=decode_podman,
    ),
}

"""What each runtime brings to the programs on a node: its parts of them, and the decoder of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.node.wire.containerd import decode_containerd
from harbor_agent.node.wire.docker import decode_docker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.runtimes.containerd import ContainerdState
    from harbor_agent.model.runtimes.docker import DockerState


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
    decode: Callable[
        [str, Mapping[str, bytes], Mapping[str, int]], tuple[DockerState | ContainerdState, tuple[Problem, ...]]
    ]
    login: tuple[str, ...] = ()


# The runtime of a transaction that names none: older builds knew only one.
UNNAMED = "docker"
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
        pull=("names/pull.sh", "docker/client.sh", "docker/login_folder.sh", "docker/pull.sh"),
        login=("docker/client.sh", "docker/login_folder.sh", "docker/login.sh"),
        decode=decode_docker,
    ),
    # After Docker: its probe uses what Docker's found.
    "containerd": RuntimeParts(
        probe=("containerd/client.sh", "containerd/probe.sh"),
        transaction=(
            "containerd/client.sh",
            "containerd/daemon.sh",
            "containerd/health.sh",
            "containerd/validation.sh",
            "containerd/workloads.sh",
        ),
        pull=("names/pull.sh", "kubelet.sh", "containerd/client.sh", "containerd/pull.sh"),
        decode=decode_containerd,
    ),
}

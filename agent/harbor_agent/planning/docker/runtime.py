"""Docker as one of the runtimes that a node may have (`harbor_agent.planning.runtime.Runtime`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.docker import NAME
from harbor_agent.planning.docker.edits.render import TEMPLATES
from harbor_agent.planning.docker.in_effect import evaluate_files
from harbor_agent.planning.docker.matching import LOOPBACK
from harbor_agent.planning.docker.plan import plan
from harbor_agent.planning.docker.rollback import restore
from harbor_agent.planning.docker.state import find_docker
from harbor_agent.planning.docker.tree import observe_tree
from harbor_agent.planning.runtime import ProcessState

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

__all__ = [
    "ALWAYS_TRUSTED",
    "DAEMON",
    "NAME",
    "TEMPLATES",
    "describe_process",
    "evaluate_files",
    "find_socket",
    "is_in_use",
    "is_present",
    "is_running",
    "observe_tree",
    "plan",
    "restore",
]

DAEMON = "dockerd"
ALWAYS_TRUSTED: tuple[str, ...] = (LOOPBACK,)


def is_present(state: NodeState) -> bool:
    """Whether the node has Docker."""
    return find_docker(state) is not None


def is_running(state: NodeState) -> bool:
    """Whether dockerd runs."""
    docker = find_docker(state)
    return docker is not None and (
        docker.live is not None or docker.argv is not None or docker.unit.active_state in ("active", "reloading")
    )


def is_in_use(state: NodeState) -> bool:
    """Whether dockerd runs, or systemd starts it at boot."""
    docker = find_docker(state)
    return is_running(state) or (docker is not None and docker.unit.unit_file_state.startswith("enabled"))


def find_socket(state: NodeState) -> str:  # noqa: ARG001 - the same for every node
    """Return nothing: kubelet reaches Docker through dockershim or cri-dockerd."""
    return ""


def describe_process(state: NodeState) -> ProcessState:
    """Return what `docker info` and `docker ps` report, and the arguments of the process."""
    docker = find_docker(state)
    if docker is None:
        return ProcessState()
    live = docker.live
    entries = (*live.insecure_entries, *live.insecure_cidrs) if live else None
    return ProcessState(version=docker.version, entries=entries, arguments=docker.argv, containers=docker.containers)

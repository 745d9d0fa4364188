"""What was observed of Docker, out of everything that was observed of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.docker import NAME, DockerState
from harbor_agent.model.state import InstalledRuntime
from harbor_agent.planning.docker.matching import parse_version

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState, Record
    from harbor_agent.planning.docker.matching import Version


def find_docker(state: NodeState) -> DockerState | None:
    """Return the Docker daemon of the node, None if it has none."""
    for runtime in state.runtimes:
        if isinstance(runtime, DockerState):
            return runtime
    return None


def find_record(state: NodeState) -> Record | None:
    """Return what this tool last applied to Docker on the node."""
    return state.records.get(NAME)


def read_version(state: NodeState) -> Version | None:
    """Return the daemon's version, None if it is not known."""
    docker = find_docker(state)
    return parse_version(docker.version) if docker else None


def docker_started_with(state: NodeState, path: str) -> bool:
    """Whether the running daemon was started with this content of the file; false if that is not known."""
    docker = find_docker(state)
    known = docker is not None and not state.offline and docker.changed_files is not None
    return known and docker is not None and path not in (docker.changed_files or ())


def describe_others(state: NodeState) -> str:
    """Return the names of other runtimes on the node as the end of a sentence, "" if there are none."""
    names = [runtime.name for runtime in state.runtimes if isinstance(runtime, InstalledRuntime)]
    return f"; found {', '.join(names)}" if names else ""

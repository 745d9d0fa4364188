"""The systemd unit that starts dockerd, under any name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.planning.docker.state import describe_others, find_docker
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import DIRECTORIES, find_unit_files, is_unit_masked

if TYPE_CHECKING:
    from harbor_agent.model.runtimes.docker import DockerState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.systemd.unit_files import UnitFiles

USUAL_NAME = "docker.service"
# As probe.sh searches for it: dockerd itself or through a launcher, but not cri-dockerd.
_STARTS_DOCKERD = re.compile(rb"""^ExecStart=(?:.*[/ ."'])?dockerd["']?(?:[ \r\n]|\Z)""", re.MULTILINE)


def find_unit(state: NodeState) -> UnitFiles:
    """Find the unit among the node's files. Raises RefusedError if there is none, or if it is masked."""
    docker = find_docker(state)
    name = docker.unit.name if docker else USUAL_NAME
    loaded = docker.unit.fragment_path if docker else ""
    unit = find_unit_files(state.files, name, loaded)
    if unit is None and name == USUAL_NAME:
        name = _find_other_name(state)
        unit = find_unit_files(state.files, name, loaded)
    if unit is None:
        message = f"there is no {name} in any of systemd's directories{describe_others(state)}"
        raise RefusedError("unit-missing", message, "a docker that no unit starts is not supported")
    if is_unit_masked(state.files[unit.fragment]):
        raise RefusedError(
            "unit-masked",
            f"{name} is masked by {unit.fragment}: this node does not run docker",
            f"configure the runtime that kubelet uses, or 'systemctl unmask {name}'",
        )
    return unit


def require_own_socket(docker: DockerState) -> None:
    """Raise RefusedError if another process than the unit's answers on Docker's socket."""
    if not docker.socket_owner:
        return
    pid, program, *unit = (*docker.socket_owner, "an unknown program")[: max(2, len(docker.socket_owner))]
    answering = f"process {pid}, {program}{f' of {unit[0]}' if unit else ''}"
    own = "runs another process" if docker.argv else "does not run"
    raise RefusedError(
        "docker-socket-foreign",
        f"{answering} answers on Docker's socket, but {docker.unit.name} {own}",
        "keep one Docker on the node: stop and disable the one that no container needs, then plan again",
    )


def starts_dockerd(unit: bytes) -> bool:
    """Whether a unit file starts dockerd, itself or through a launcher."""
    return _STARTS_DOCKERD.search(unit) is not None


def _find_other_name(state: NodeState) -> str:
    """Return the name of a unit that starts dockerd under another name, else the usual one."""
    for path, file in sorted(state.files.items()):
        directory, _, name = path.rpartition("/")
        if directory in DIRECTORIES and name.endswith(".service") and starts_dockerd(file.content or b""):
            return name
    return USUAL_NAME

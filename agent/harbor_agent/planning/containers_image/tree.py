"""What planning needs of CRI-O or podman in a file system tree without a running system (`--root`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.containers_image import CRIO, CRIO_SOCKET, CRIO_UNIT, ContainersImageState
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.containers_image.certificates import CERTIFICATES, DOCKER_CERTIFICATES
from harbor_agent.planning.containers_image.state import (
    CRIO_FILE,
    CRIO_FOLDER,
    FOLDER,
    HOMES,
    MACHINE_CONFIG,
    MAIN_FILE,
    ROOT_FILE,
    ROOT_FOLDER,
    USER_FILE,
)
from harbor_agent.planning.files.certificates import build_certificate_paths

if TYPE_CHECKING:
    from harbor_agent.planning.runtime import FileTree


def observe_tree(tree: FileTree, version: str, name: str) -> NodeState:
    """Read what planning needs from a file system tree, for a runtime of this name and version."""
    paths = [MAIN_FILE, ROOT_FILE, CRIO_FILE, MACHINE_CONFIG]
    paths += [f"{HOMES}/{user}{USER_FILE}" for user in tree.names(HOMES)]
    for folder in (FOLDER, ROOT_FOLDER, CRIO_FOLDER):
        paths += [f"{folder}/{base}" for base in tree.names(folder)]
    for folder in (CERTIFICATES, DOCKER_CERTIFICATES):
        for entry in tree.names(folder):
            paths += [f"{folder}/{entry}", *build_certificate_paths(f"{folder}/{entry}")]
    is_crio = name == CRIO
    runtime = ContainersImageState(
        name=name,
        version=version,
        unit=UnitState(name=CRIO_UNIT) if is_crio else None,
        socket=CRIO_SOCKET if is_crio else "",
    )
    return NodeState(
        system=System(init="systemd", privileged=True),
        runtimes=(runtime,),
        files={path: tree.state(path) for path in paths},
        offline=True,
    )

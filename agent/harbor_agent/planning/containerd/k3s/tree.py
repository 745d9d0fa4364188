"""What planning needs of k3s or RKE2 in a file system tree without a running system (`--root`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.containerd import ContainerdState, K3sState
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.containerd.k3s.effective import view_containerd
from harbor_agent.planning.containerd.k3s.settings import build_folder, list_templates, list_units, read_settings
from harbor_agent.planning.containerd.tree import list_unit_paths, read_roots
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import DIRECTORIES

if TYPE_CHECKING:
    from harbor_agent.model.state import FileState
    from harbor_agent.planning.runtime import FileTree

SOCKET = "/run/k3s/containerd/containerd.sock"
# A configuration of version 3 is of containerd 2; one of version 2 may be of any before.
_THIRD = 3


def observe_tree(tree: FileTree, version: str, name: str) -> NodeState:
    """Read what planning needs from a file system tree, for a k3s or RKE2 of this version."""
    unit = UnitState(name=_find_unit_name(tree, name))
    folder = build_folder(name)
    paths = [f"{folder}/{base}" for base in ("config.yaml", "registries.yaml", "registries.yml")]
    paths += [f"{folder}/config.yaml.d/{base}" for base in tree.names(f"{folder}/config.yaml.d")]
    paths += [f"{folder}/{base}" for base in tree.names(folder) if base.startswith("harbor-agent-")]
    files = {path: tree.state(path) for path in (*paths, *list_unit_paths(tree, unit.name))}
    found = K3sState(name=name, version=version, unit=unit, containerd=ContainerdState(unit=unit))
    state = NodeState(system=System(init="systemd", privileged=True), runtimes=(found,), files=files, offline=True)
    try:
        settings = read_settings(state, found)
    except RefusedError:
        return state  # planning refuses it with the reason
    config = f"{settings.folder}/config.toml"
    files |= {path: tree.state(path) for path in (settings.registries, config, *list_templates(settings))}
    daemon = ContainerdState(unit=unit, version=_guess_version(files[config]), socket=SOCKET, config_file=config)
    state = replace(state, runtimes=(replace(found, containerd=daemon),), files=files)
    return replace(state, files={**files, **read_roots(tree, view_containerd(state, name))})


def _find_unit_name(tree: FileTree, name: str) -> str:
    """Return the unit of the tree: a server's if there is none, or both."""
    server, agent = list_units(name)
    for unit in (server, agent):
        if any(tree.state(f"{directory}/{unit}").exists for directory in DIRECTORIES):
            return unit
    return server


def _guess_version(config: FileState) -> str:
    try:
        return "2.0" if parse_toml(config.content or b"").values.get("version") == _THIRD else "1.7"
    except FormatError:
        return "1.7"

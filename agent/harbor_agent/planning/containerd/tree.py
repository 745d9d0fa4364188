"""What planning needs of containerd in a file system tree without a running system (`--root`)."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.containerd import DEFAULT_CONFIG, DEFAULT_SOCKET, ContainerdState
from harbor_agent.model.state import FileKind, NodeState, System
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT, evaluate
from harbor_agent.planning.containerd.state import K0S_CONFIG, SNAP_TEMPLATE
from harbor_agent.planning.containerd.unit import USUAL_NAME, read_unit, starts_containerd
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import DIRECTORIES, list_drop_in_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.state import FileState
    from harbor_agent.planning.runtime import FileTree

SNAP_UNIT = "snap.microk8s.daemon-containerd.service"
_K0S_UNITS = ("k0sworker.service", "k0scontroller.service")


def observe_tree(tree: FileTree, version: str) -> NodeState:
    """Read what planning needs from a file system tree, for a containerd of this version."""
    if not tree.state(DEFAULT_CONFIG).exists and tree.state(SNAP_TEMPLATE).exists:
        return observe_snap(tree)
    return _observe(tree, version, _find_unit_name(tree))


def observe_snap(tree: FileTree) -> NodeState:
    """Read what planning needs of MicroK8s from a file system tree; its own version does not say containerd's."""
    return _observe(tree, "", SNAP_UNIT, SNAP_TEMPLATE)


def observe_k0s(tree: FileTree) -> NodeState:
    """Read what planning needs of k0s from a file system tree; its own version does not say containerd's."""
    named = (unit for unit in _K0S_UNITS if any(tree.state(f"{folder}/{unit}").exists for folder in DIRECTORIES))
    return _observe(tree, "", next(named, _K0S_UNITS[0]), K0S_CONFIG)


def _observe(tree: FileTree, version: str, name: str, config_file: str = "") -> NodeState:
    files = {path: tree.state(path) for path in list_unit_paths(tree, name)}
    try:
        unit = read_unit(files, name)
    except RefusedError:
        unit = None
    containerd = ContainerdState(
        unit=UnitState(name=name),
        version=version,
        config_file=config_file or (unit.config_file if unit else "") or _find_default_config(tree),
        socket=(unit.socket if unit else "") or DEFAULT_SOCKET,
        kill_mode=unit.kill_mode if unit else "",
    )
    files[containerd.config_file] = tree.state(containerd.config_file)
    state = NodeState(system=System(init="systemd", privileged=True), runtimes=(containerd,), files=files, offline=True)
    state = _read_imports(tree, state, containerd.config_file)
    return replace(state, files={**state.files, **read_roots(tree, state)})


def _find_default_config(tree: FileTree) -> str:
    """Return containerd's default, or that of k0s, which starts containerd without a unit of its own."""
    is_k0s = not tree.state(DEFAULT_CONFIG).exists and tree.state(K0S_CONFIG).exists
    return K0S_CONFIG if is_k0s else DEFAULT_CONFIG


def _read_imports(tree: FileTree, state: NodeState, config_file: str) -> NodeState:
    """Read the folders of what the configuration imports, and of what those files import."""
    files, pending, seen = dict(state.files), [config_file], set()
    while pending:
        path = pending.pop()
        for folder in _list_import_folders(path, files[path]):
            if folder not in seen:
                seen.add(folder)
                found = {f"{folder}/{base}": tree.state(f"{folder}/{base}") for base in tree.names(folder)}
                pending += [name for name in found if name not in files]
                files |= found
    return replace(state, files=files)


def _list_import_folders(path: str, file: FileState) -> list[str]:
    try:
        imports = parse_toml(file.content or b"").values.get("imports", ())
    except FormatError:
        return []
    patterns = [str(one) for one in imports] if isinstance(imports, list) else []
    folder = posixpath.dirname(path)
    return [posixpath.dirname(posixpath.normpath(posixpath.join(folder, pattern))) for pattern in patterns]


def read_roots(tree: FileTree, state: NodeState) -> dict[str, FileState]:
    """Read the directories of registries, each with the names in it."""
    try:
        effective = evaluate(state)
        roots = tuple(effective.config_path.split(":")) if effective.has_list else effective.roots or (DEFAULT_ROOT,)
    except RefusedError:
        return {}
    files = {}
    for folder in (f"{root}/{name}" for root in roots for name in tree.names(root)):
        files[folder] = tree.state(folder)
        if files[folder].kind is FileKind.DIRECTORY:
            files |= {f"{folder}/{base}": tree.state(f"{folder}/{base}") for base in tree.names(folder)}
    return files


def _find_unit_name(tree: FileTree) -> str:
    """Return the usual name if there is such a unit, else that of the first unit that starts containerd."""
    if not any(tree.state(f"{directory}/{USUAL_NAME}").exists for directory in DIRECTORIES):
        for directory in DIRECTORIES:
            for name in tree.names(directory):
                if name.endswith(".service") and starts_containerd(tree.state(f"{directory}/{name}").content or b""):
                    return name
    return USUAL_NAME


def list_unit_paths(tree: FileTree, name: str) -> Iterator[str]:
    """Yield the paths of a unit and of its drop-ins in all of systemd's directories."""
    merged = tree.state("/lib").link_target is not None
    for directory in DIRECTORIES:
        if merged and directory.startswith("/lib/"):
            continue
        yield f"{directory}/{name}"
        for folder in (f"{directory}/{below}" for below in list_drop_in_folders(name)):
            yield from (f"{folder}/{base}" for base in tree.names(folder) if base.endswith(".conf"))

"""What planning needs of Docker in a file system tree without a running system (`--root`)."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.syntax import expand_specifiers
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.docker import DockerState
from harbor_agent.model.state import FileKind, NodeState, System
from harbor_agent.planning.docker.checks.certificates import FOLDER
from harbor_agent.planning.docker.edits.certificates import build_paths
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.unit import USUAL_NAME, starts_dockerd
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import ADMINISTRATOR_DIRECTORY, DIRECTORIES, list_drop_in_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import FileState
    from harbor_agent.planning.runtime import FileTree

_ENVIRONMENT_FILE = re.compile(rb"^\s*EnvironmentFile\s*=\s*-?\s*([/%][^\r\n]*?)\s*$", re.MULTILINE)
_DEFAULT_CONFIG = "/etc/docker/daemon.json"


def observe_tree(tree: FileTree, version: str) -> NodeState:
    """Read what planning needs from a file system tree, for a dockerd of this version."""
    name = _find_unit_name(tree)
    files = {path: tree.state(path) for path in _list_unit_paths(tree, name or USUAL_NAME)}
    for pattern in _list_environment_files(files, name or USUAL_NAME):
        folder, base = posixpath.split(pattern)
        paths = [posixpath.join(folder, match) for match in fnmatch.filter(tree.names(folder), base) or [base]]
        files |= {path: tree.state(path) for path in paths}
    files[_DEFAULT_CONFIG] = tree.state(_DEFAULT_CONFIG)
    certificates = _list_certificates(tree)
    own = (path for entry in tree.names(FOLDER) for path in build_paths(entry))
    files |= {path: tree.state(path) for path in own if tree.state(path).exists}
    unit = UnitState(name=name or "")
    docker = (DockerState(unit=unit, version=version, certificate_files=certificates),) if name else ()
    state = NodeState(system=System(init="systemd", privileged=True), runtimes=docker, files=files, offline=True)
    config = _find_config_file(state)
    return replace(state, files={**files, config: tree.state(config)})


def _list_certificates(tree: FileTree) -> dict[str, str]:
    """Return the kind of each certificate and key in dockerd's folders, as `DockerState` has them."""
    kinds = {FileKind.DIRECTORY: "directory"}
    found = {}
    for folder in (f"{FOLDER}/{name}" for name in tree.names(FOLDER)):
        for name in tree.names(folder):
            if name.endswith((".crt", ".cert", ".key")):
                state = tree.state(f"{folder}/{name}")
                dangling = state.kind is FileKind.SYMLINK and state.content is None
                found[state.path] = "missing" if dangling else kinds.get(state.kind, "file")
    return found


def _find_config_file(state: NodeState) -> str:
    """Return the configuration file that dockerd would read: its arguments may name another one."""
    try:
        return evaluate(state).config_path
    except RefusedError:
        return _DEFAULT_CONFIG


def _find_unit_name(tree: FileTree) -> str | None:
    """Return docker.service if there is one, else the first unit that starts dockerd; None for neither."""
    if any(tree.state(f"{directory}/{USUAL_NAME}").exists for directory in DIRECTORIES):
        return USUAL_NAME
    for directory in DIRECTORIES:
        for name in tree.names(directory):
            if name.endswith(".service") and starts_dockerd(tree.state(f"{directory}/{name}").content or b""):
                return name
    return None


def _list_unit_paths(tree: FileTree, name: str) -> list[str]:
    merged = tree.state("/lib").link_target is not None
    directories = [directory for directory in DIRECTORIES if not (merged and directory.startswith("/lib/"))]
    paths = [f"{directory}/{name}" for directory in directories]
    for folder in (f"{directory}/{below}" for directory in directories for below in list_drop_in_folders(name)):
        paths += [f"{folder}/{base}" for base in tree.names(folder) if base.endswith(".conf")]
    return list(dict.fromkeys([*paths, f"{ADMINISTRATOR_DIRECTORY}/{name}.d/docker-options.conf"]))


def _list_environment_files(files: Mapping[str, FileState], unit: str) -> list[str]:
    """Return the environment files that the units read so far name."""
    found = (match for state in files.values() for match in _ENVIRONMENT_FILE.findall(state.content or b""))
    paths = (expand_specifiers(match.decode(errors="surrogateescape"), unit) for match in found)
    return list(dict.fromkeys(posixpath.normpath(path) for path in paths if path.startswith("/")))

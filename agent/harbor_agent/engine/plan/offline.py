"""Plan and change a file system tree with the planner of the nodes (`--root DIR`)."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.errors import Problem
from harbor_agent.formats.systemd.syntax import expand_specifiers
from harbor_agent.local.tree import Tree
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runtimes.docker import DockerState
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import (
    ADMINISTRATOR_DIRECTORY,
    DIRECTORIES,
    drop_in_folders,
    starts_dockerd,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.model.state import FileState

_ENVIRONMENT_FILE = re.compile(rb"^\s*EnvironmentFile\s*=\s*-?\s*([/%][^\r\n]*?)\s*$", re.MULTILINE)
_DEFAULT_CONFIG = "/etc/docker/daemon.json"
_DEFAULT_UNIT = "docker.service"
DEFAULT_VERSION = "20.10"


def plan_tree(root: str, resolved: Resolved) -> PlannedNode:
    """Plan the tree below `root` for the dockerd version of the request (None: one that supports every route)."""
    tree = Tree(root)
    docker_version = resolved.request.docker_version
    node = Node(name=root, address=root, connection="local")
    state = _read_tree(tree, docker_version or DEFAULT_VERSION)
    return plan_state(node, resolved.general, state, resolved.request)


def apply_tree(root: str, planned: PlannedNode) -> NodeResult:
    """Write the planned files into the tree; there is no daemon. Raises AgentError if a file has changed since."""
    if planned.outcome is not Outcome.PENDING or not isinstance(planned.decision, Plan):
        return NodeResult(
            node=root, outcome=planned.outcome, reason=planned.reason, problem=planned.problem, verified=None
        )
    tree = Tree(root)
    for change in planned.decision.changes:
        tree.write(change)
    return NodeResult(node=root, outcome=Outcome.CHANGED, reason=planned.reason)


def _read_tree(tree: Tree, docker_version: str) -> NodeState:
    """Read from the tree what the planner needs to know of a node."""
    name = _find_unit(tree)
    files = {path: tree.state(path) for path in _list_unit_paths(tree, name or _DEFAULT_UNIT)}
    for pattern in (PurePosixPath(path) for path in _list_environment_files(files, name or _DEFAULT_UNIT)):
        matches = fnmatch.filter(tree.names(str(pattern.parent)), pattern.name) or [pattern.name]
        files |= {str(pattern.parent / match): tree.state(str(pattern.parent / match)) for match in matches}
    files[_DEFAULT_CONFIG] = tree.state(_DEFAULT_CONFIG)
    docker = DockerState(unit=UnitState(name=name), version=docker_version) if name else None
    closed = tuple(_describe_closed_directory(directory) for directory in tree.closed)
    state = NodeState(
        system=System(init="systemd", privileged=True), docker=docker, files=files, unreadable=closed, offline=True
    )
    config = _find_config_file(state)
    return replace(state, files={**files, config: tree.state(config)})


def _describe_closed_directory(directory: str) -> Problem:
    message = f"cannot read the directory {directory}: permission denied"
    return Problem(code="directory-unreadable", message=message, hint="plan as a user who may read the whole tree")


def _find_config_file(state: NodeState) -> str:
    """Return the configuration file that dockerd would read, according to its arguments."""
    try:
        return evaluate(state).config_path
    except RefusedError:
        return _DEFAULT_CONFIG


def _find_unit(tree: Tree) -> str | None:
    """Return docker.service if it exists, else the first unit that starts dockerd; None without either."""
    if any(tree.state(f"{directory}/{_DEFAULT_UNIT}").exists for directory in DIRECTORIES):
        return _DEFAULT_UNIT
    for directory in DIRECTORIES:
        for name in tree.names(directory):
            if name.endswith(".service") and starts_dockerd(tree.state(f"{directory}/{name}").content or b""):
                return name
    return None


def _list_unit_paths(tree: Tree, name: str) -> list[str]:
    merged = tree.state("/lib").link_target is not None
    directories = [directory for directory in DIRECTORIES if not (merged and directory.startswith("/lib/"))]
    paths = [f"{directory}/{name}" for directory in directories]
    for folder in (f"{directory}/{below}" for directory in directories for below in drop_in_folders(name)):
        paths += [f"{folder}/{base}" for base in tree.names(folder) if base.endswith(".conf")]
    return list(dict.fromkeys([*paths, f"{ADMINISTRATOR_DIRECTORY}/{name}.d/docker-options.conf"]))


def _list_environment_files(files: Mapping[str, FileState], unit: str) -> list[str]:
    """Return the environment files that these units name."""
    found = (match for state in files.values() for match in _ENVIRONMENT_FILE.findall(state.content or b""))
    paths = (expand_specifiers(match.decode(errors="surrogateescape"), unit) for match in found)
    return list(dict.fromkeys(posixpath.normpath(path) for path in paths if path.startswith("/")))

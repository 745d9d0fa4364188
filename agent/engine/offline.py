"""Plan and change a file system tree with the very same planner (`--root DIR`)."""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from agent.engine.fleet import plan_state
from agent.engine.tree import Tree
from agent.model.inventory import Node
from agent.model.plan import Plan
from agent.model.result import NodeResult, Outcome
from agent.model.state import DockerState, NodeState, System, UnitState

if TYPE_CHECKING:
    from agent.engine.fleet import PlannedNode
    from agent.engine.request import Policies
    from agent.model.state import FileState

# systemd.unit(5), "UNIT FILE LOAD PATH" of the system manager, highest first; /lib is /usr/lib on merged systems.
UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_DROP_IN_DIRECTORIES = ("docker.service.d", "service.d")
_ENVIRONMENT_FILE = re.compile(rb"^\s*EnvironmentFile\s*=\s*-?\s*(/[^\r\n]*?)\s*$", re.MULTILINE)
_CONFIG_FILE = re.compile(rb"--config-file[= ]\s*\"?(/[^\s\"'\\]+)")
_DEFAULT_CONFIG = "/etc/docker/daemon.json"
DEFAULT_VERSION = "20.10"


def plan_tree(root: str, policies: Policies, docker_version: str | None) -> PlannedNode:
    """Plan the tree below `root` for dockerd `docker_version` (None: a version that everything here works with)."""
    tree = Tree(root)
    node = Node(name=root, address=root, connection="local")
    state = observe_tree(tree, docker_version or DEFAULT_VERSION)
    return plan_state(node, policies.general(), state, repair=policies.repair)


def apply_tree(root: str, planned: PlannedNode) -> NodeResult:
    """Write the planned files into the tree; there is no daemon to tell. Raises AgentError where a file moved."""
    if planned.outcome is not Outcome.CHANGE or not isinstance(planned.decision, Plan):
        return NodeResult(
            node=root, outcome=planned.outcome, reason=planned.reason, problem=planned.problem, verified=None
        )
    tree = Tree(root)
    for change in planned.decision.changes:
        tree.write(change)
    return NodeResult(node=root, outcome=Outcome.CHANGED, reason=planned.reason)


def observe_tree(tree: Tree, docker_version: str) -> NodeState:
    """Read what the planner needs from the tree."""
    files = {path: tree.state(path) for path in _unit_paths(tree)}
    for pattern in (PurePosixPath(p) for p in _named(_ENVIRONMENT_FILE, files)):
        matches = fnmatch.filter(tree.names(str(pattern.parent)), pattern.name) or [pattern.name]
        for name in matches:
            path = str(pattern.parent / name)
            files[path] = tree.state(path)
    for path in (_DEFAULT_CONFIG, *_named(_CONFIG_FILE, files)):
        files[path] = tree.state(path)
    has_unit = any(state.exists for path, state in files.items() if path.endswith("/docker.service"))
    docker = DockerState(unit=UnitState(), version=docker_version) if has_unit else None
    release = tree.state("/etc/os-release").content or tree.state("/usr/lib/os-release").content or b""
    return NodeState(system=_system(release), docker=docker, files=files, offline=True)


def _unit_paths(tree: Tree) -> list[str]:
    merged = tree.state("/lib").link_target is not None
    directories = UNIT_DIRECTORIES[:-1] if merged else UNIT_DIRECTORIES
    paths = [f"{directory}/docker.service" for directory in directories]
    for folder in _DROP_IN_DIRECTORIES:
        for directory in directories:
            names = [name for name in tree.names(f"{directory}/{folder}") if name.endswith(".conf")]
            paths += [f"{directory}/{folder}/{name}" for name in names]
    return list(dict.fromkeys([*paths, "/etc/systemd/system/docker.service.d/docker-options.conf"]))


def _named(pattern: re.Pattern[bytes], files: dict[str, FileState]) -> list[str]:
    """Return the paths that the files read so far mention."""
    found = (match for state in files.values() for match in pattern.findall(state.content or b""))
    return list(dict.fromkeys(match.decode(errors="surrogateescape") for match in found))


def _system(release: bytes) -> System:
    values = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', release.decode(errors="replace"), re.MULTILINE))
    return System(
        os_id=values.get("ID", ""),
        os_version=values.get("VERSION_ID", ""),
        os_name=values.get("PRETTY_NAME", ""),
        init="systemd",
        privileged=True,
    )

"""The least disruptive action that brings a change into effect: none, reload or restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.docker.arguments import find_conflicts, parse_arguments
from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, REGISTRY_MIRRORS
from harbor_agent.model.plan import Action
from harbor_agent.planning.docker.startup import find_start_faults
from harbor_agent.planning.docker.state import find_docker, read_version

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

# moby: insecure-registries is read again on SIGHUP.
_RELOADS_SINCE = (1, 13, 0)
# moby#45571: with mirrors set, a reload loses the insecure registries.
_LOSES_ON_RELOAD = (((23, 0, 0), (23, 0, 6)), ((24, 0, 0), (24, 0, 0)))


def is_running(state: NodeState, effective: Effective) -> bool:
    """Whether dockerd runs; of a file system tree, whether it would."""
    docker = find_docker(state)
    if state.offline or docker is None:
        return not find_start_faults(state, effective)
    return docker.live is not None or docker.argv is not None or docker.unit.active_state in ("active", "reloading")


def find_stopped_daemon(state: NodeState) -> Problem | None:
    """Return why nothing is done on a node whose unit is not up: only a daemon that runs shows what a change did."""
    docker = find_docker(state)
    unit = docker.unit if docker and not state.offline else None
    if unit is None or unit.active_state in ("", "active", "reloading"):
        return None
    return Problem(
        code="docker-not-running",
        message=f"{unit.name} does not run ({unit.active_state})",
        hint=f"'systemctl status {unit.name}' says why; fix that, run 'systemctl start {unit.name}', and plan again",
    )


def supports_reload(state: NodeState, effective: Effective) -> bool:
    """Whether this dockerd reads new entries of its configuration file on SIGHUP; assumed for an unknown version."""
    version = read_version(state)
    if version is None:
        return True
    # rule DD-15
    if version < _RELOADS_SINCE:
        return False
    # rule DD-16
    if not any(first <= version <= last for first, last in _LOSES_ON_RELOAD):
        return True
    docker = find_docker(state)
    live = docker.live if docker else None
    in_file = effective.config is not None and REGISTRY_MIRRORS in effective.config.keys
    return not (in_file or effective.daemon.values("registry-mirror") or (live and live.mirrors))


def choose_action(state: NodeState, before: Effective, after: Effective, *, live_is_right: bool) -> Action:
    """Return the action that makes dockerd use `after`; `live_is_right`: its live list is as desired already."""
    if not is_running(state, before):
        return Action.RESTART
    docker = find_docker(state)
    live = docker.argv if docker else None
    if live_is_right and after.argv in (before.argv, live):
        return Action.NONE
    if before.argv != after.argv:
        return Action.RESTART
    return Action.RELOAD if can_reload(state, after) else Action.RESTART


def can_reload(state: NodeState, effective: Effective) -> bool:
    """Whether a reload applies the list of the configuration file, and the daemon accepts the file."""
    keys = effective.config.keys if effective.config else ()
    docker = find_docker(state)
    live = docker.argv if docker else None
    if effective.daemon.launcher and live is None:
        return False  # what gets the signal may be the launcher
    # a reload compares the file with the flags that the daemon was started with
    refused = live is not None and not state.offline and find_conflicts(parse_arguments(live), keys)
    # rule DD-22
    return INSECURE_REGISTRIES in keys and not refused and supports_reload(state, effective)

"""Containers that outlive a restart of the daemon: when they do, and how they can be made to.

With live-restore a daemon leaves its containers running when it stops, and the next one takes them over, but only where
it is set for both: one that starts without it stops what it finds running (docs/decisions/0017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import find_conflicts, parse_arguments
from harbor_agent.formats.docker.daemon_json import LIVE_RESTORE, parse_daemon_json, set_value
from harbor_agent.model.plan import Action, LiveRestore
from harbor_agent.planning.docker.edits.entries import write_config
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.startup import find_start_faults
from harbor_agent.planning.docker.state import find_docker
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.runtimes.docker import DockerState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

# What Go reads as true in a flag (strconv.ParseBool).
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FLAG = f"--{LIVE_RESTORE}"


def are_containers_kept(state: NodeState, after: Effective) -> bool:
    """Whether containers keep running through a restart into `after`; false if unknown."""
    # rule DD-26
    docker = find_docker(state)
    return bool(docker and docker.live_restore) and _is_set(after)


def find_disruption(
    state: NodeState, action: Action, after: Effective
) -> tuple[LiveRestore, tuple[RunningContainer, ...]]:
    """Return what becomes of containers in a restart into `after`, and which ones it stops."""
    if action is not Action.RESTART:
        return LiveRestore.NONE, ()
    if are_containers_kept(state, after):
        return LiveRestore.ON, ()
    docker = find_docker(state)
    return LiveRestore.NONE, (docker.containers or ()) if docker else ()


def are_containers_listed(state: NodeState) -> bool:
    """Whether the daemon listed the containers that run; a node without one runs none."""
    docker = find_docker(state)
    return docker is None or docker.containers is not None


def enable_live_restore(workspace: Workspace, after: Effective) -> Workspace:
    """Return the workspace with live-restore in dockerd's configuration file, so that a reload switches it on.

    `after` is what the restart leads to without that. Raises RefusedError (`live-restore-impossible`) where it cannot
    be switched on so, or the daemon would not start with it.
    """
    docker = find_docker(workspace.state)
    if docker is None:
        raise _build_refusal("there is no docker on the node")
    _require_possible(docker, after)
    try:
        changed = _edit_config(workspace, after)
        then = evaluate(changed.state)
    except RefusedError as refused:
        raise _build_refusal(refused.problem.message, refused.problem.hint) from None
    for fault in find_start_faults(changed.state, then):
        raise _build_refusal(fault.problem.message, fault.problem.hint)
    if docker.argv is not None and then.config:
        # rule DD-22
        for flag, key in find_conflicts(parse_arguments(docker.argv), then.config.keys):
            raise _build_refusal(
                f"dockerd runs with the flag --{flag} and takes no reload of a file that holds '{key}'",
                "restart it once, at a quiet time, so that it runs with what its files say",
            )
    return changed


def _is_set(effective: Effective) -> bool:
    flags = effective.daemon.values(LIVE_RESTORE)
    if flags:
        return flags[-1] in _TRUE
    return effective.config is not None and effective.config.raw(LIVE_RESTORE) == "true"


def _require_possible(docker: DockerState, after: Effective) -> None:
    # rule DD-25
    if docker.swarm not in ("", "inactive"):
        raise _build_refusal(f"the node is in a swarm ({docker.swarm}), with which dockerd does not start")
    for value, argument, _ in after.find_arguments(LIVE_RESTORE):
        written = f"{_FLAG}{'' if value in _TRUE else '=' + value}"
        place = after.locate_argument(argument)
        raise _build_refusal(
            f"{written} is a flag, from {place}: a reload does not change it, and dockerd does not start with the key"
            " beside it",
            f"write {_FLAG} there, or remove it so that the key is enough",
        )
    if docker.argv is None:
        # what gets the signal may be a launcher, and read another file
        if after.daemon.launcher:
            raise _build_refusal("which configuration file dockerd reads cannot be seen", "plan as root")
        return
    reads = parse_arguments(docker.argv)
    if not after.daemon.launcher and reads.config_file != after.config_path:
        message = f"dockerd runs with {reads.config_file} and would start again with {after.config_path}"
        raise _build_refusal(message, "restart it once, at a quiet time, so that it runs with what its files say")


def _edit_config(workspace: Workspace, after: Effective) -> Workspace:
    path, document = after.config_path, after.config
    reason = f"{LIVE_RESTORE} keeps containers running through the restart"
    if document is None or document.root is None:
        # dockerd takes a file that is not there for an empty object
        text = set_value(parse_daemon_json(b"{}\n"), LIVE_RESTORE, "true")
        return workspace.write(path, text, reason)
    written = document.raw(LIVE_RESTORE)
    if written == "true":
        return workspace
    if written not in (None, "false", "null"):
        raise RefusedError("file-invalid", f"{path}: '{LIVE_RESTORE}' is {written}", "write true or false there")
    return write_config(workspace, after, set_value(document, LIVE_RESTORE, "true"), reason)


def _build_refusal(message: str, hint: str = "") -> RefusedError:
    way_out = "without --live-restore the containers stop for the restart: --accept-restart"
    return RefusedError(
        "live-restore-impossible",
        f"live-restore cannot be switched on: {message}",
        f"{hint}; or {way_out}" if hint else way_out,
    )

"""What the running containerd has read of its files, and what a restart of it costs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.planning.containerd.hosts import is_always_plain, is_trusted, list_trusted, parse_entry
from harbor_agent.planning.containerd.state import find_containerd, find_record, require_containerd

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.model.address import Address
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective

# With any other KillMode, systemd stops the containers' processes with the daemon (systemd.kill(5)).
_KEEPS_CONTAINERS = frozenset({"", "process", "none"})
_RUNS = frozenset({"", "active", "reloading"})


def find_stopped_daemon(state: NodeState) -> Problem | None:
    """Return why nothing is done on a node whose unit is not up: only a daemon that runs shows what a change did."""
    containerd = find_containerd(state)
    unit = containerd.unit if containerd and not state.offline else None
    if unit is None or unit.active_state in _RUNS:
        return None
    return Problem(
        code="runtime-not-running",
        message=f"{unit.name} does not run ({unit.active_state})",
        hint=f"'systemctl status {unit.name}' says why; fix that, run 'systemctl start {unit.name}', and plan again",
    )


def find_unloaded_cri(state: NodeState) -> Problem | None:
    """Return why no pod pulls through a containerd that runs without CRI; None if it has CRI or does not say."""
    containerd = find_containerd(state)
    # rule CD-31
    if containerd is None or state.offline or containerd.cri_loaded is not False:
        return None
    detail = f": {containerd.cri_error}" if containerd.cri_error else ""
    return Problem(
        code="cri-not-loaded",
        message=f"the running containerd has not loaded its CRI plugin{detail}",
        hint="no pod can start on the node: fix what containerd names ('ctr plugins ls -d id==cri'), "
        f"run 'systemctl restart {containerd.unit.name}', and plan again",
    )


def find_hindrance(state: NodeState, effective: Effective) -> Problem | None:
    """Return why a change could not be proven now; a change that repairs what keeps CRI from loading can."""
    return find_stopped_daemon(state) or (None if effective.conflict else find_unloaded_cri(state))


def find_changed_files(state: NodeState, effective: Effective) -> list[str]:
    """Return the configuration files that changed after containerd started; none if that is not known."""
    containerd = find_containerd(state)
    changed = containerd.changed_files if containerd and not state.offline else None
    read = [effective.config_file, *(file.path for file in effective.files)]
    return [path for path in dict.fromkeys(read) if path in (changed or ())]


def has_read_config(state: NodeState, effective: Effective) -> bool:
    """Whether the running containerd has the settings of registries that are in its files."""
    if state.offline:
        return True
    live = require_containerd(state).live_config_path
    if live is not None:
        if live != effective.config_path:
            return False
        if live:
            return True
    return not find_changed_files(state, effective)


def find_latent_edits(state: NodeState, effective: Effective, restored: Collection[str] = ()) -> tuple[str, ...]:
    """Describe the edits of somebody else that the running containerd has not read and that a restart applies.

    `restored` are the files that a rollback replaces as a whole: their edits are gone.
    """
    record = find_record(state)
    ours = record.file_hashes if record else {}
    changed = [path for path in find_changed_files(state, effective) if path not in restored]
    found = [path for path in changed if ours.get(path) != _hash(state, path)]
    return tuple(f"{path} changed after containerd started" for path in found)


def is_live(state: NodeState, effective: Effective, address: Address) -> bool | None:
    """Whether the running containerd reaches the registry over plain HTTP; None if neither it nor its files say.

    An answer that names HTTPS says something only if HTTPS is not tried after plain HTTP failed.
    """
    containerd = require_containerd(state)
    scheme = containerd.proofs.get(address.entry)
    if scheme == "http":
        return True
    if containerd.cri_loaded is False:
        return False
    if scheme == "https" and is_always_plain(state, effective, address):
        return False
    if scheme == "https" and not is_trusted(state, effective, address):
        return False
    if not has_read_config(state, effective):
        return False if scheme == "https" else None
    return is_trusted(state, effective, address)


def list_live_entries(state: NodeState, effective: Effective) -> tuple[str, ...] | None:
    """Return the registries that the running containerd reaches over plain HTTP; None if it does not run."""
    containerd = require_containerd(state)
    if state.offline or containerd.argv is None:
        return None
    if containerd.cri_loaded is False:
        return ()
    proven = [entry for entry, scheme in containerd.proofs.items() if scheme == "http"]
    in_files = list_trusted(state, effective) if has_read_config(state, effective) else ()
    refuted = {
        entry
        for entry, scheme in containerd.proofs.items()
        if scheme == "https" and (address := parse_entry(entry)) and is_live(state, effective, address) is False
    }
    return tuple(entry for entry in dict.fromkeys((*proven, *in_files)) if entry not in refuted)


def find_kill_mode(state: NodeState) -> str:
    """Return the KillMode of the unit if a restart stops the containers, "" if they live on."""
    mode = require_containerd(state).kill_mode
    return "" if state.offline or mode in _KEEPS_CONTAINERS else mode


def find_stops(state: NodeState) -> tuple[RunningContainer, ...]:
    """Return the containers that a restart stops."""
    return (require_containerd(state).containers or ()) if find_kill_mode(state) else ()


def are_containers_known(state: NodeState) -> bool:
    """Whether it is known which containers a restart stops."""
    return not find_kill_mode(state) or require_containerd(state).containers is not None


def _hash(state: NodeState, path: str) -> str:
    file = state.files.get(path)
    return hashlib.sha256((file.content or b"") if file else b"").hexdigest()

"""What the containerd that runs was sent to, and what the k3s or RKE2 that runs has not read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.planning.containerd import process as containerd
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_written, view_containerd
from harbor_agent.planning.containerd.k3s.settings import build_folder, list_templates, require_k3s
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective

_RUNS = frozenset({"", "active", "reloading"})


def find_stopped_daemon(state: NodeState, name: str) -> Problem | None:
    """Return why nothing is done on a node whose unit is not up: only a daemon that runs shows what a change did."""
    unit = require_k3s(state, name).unit
    if state.offline or unit.active_state in _RUNS:
        return None
    return Problem(
        code="runtime-not-running",
        message=f"{unit.name} does not run ({unit.active_state})",
        hint=f"'systemctl status {unit.name}' says why; fix that, run 'systemctl start {unit.name}', and plan again",
    )


def is_live(state: NodeState, name: str, effective: Effective, address: Address) -> bool:
    """Whether containerd reaches the registry over plain HTTP now; in a tree, whether its files say so."""
    if state.offline or effective.written is None:
        return is_written(state, name, effective, address)
    return containerd.is_live(view_containerd(state, name), effective.written, address) is True


def list_live_entries(state: NodeState, name: str) -> tuple[str, ...] | None:
    """Return the registries that containerd reaches over plain HTTP; None if that is not known."""
    try:
        found = evaluate(state, name).written
    except RefusedError:
        found = None
    return None if found is None else containerd.list_live_entries(view_containerd(state, name), found)


def find_latent_edits(
    state: NodeState, name: str, effective: Effective, restored: Collection[str] = ()
) -> tuple[str, ...]:
    """Describe the edits of somebody else that the running daemon has not read and that a restart applies.

    `restored` are the files that a rollback replaces as a whole: their edits are gone.
    """
    k3s, record, folder = require_k3s(state, name), state.records.get(name), build_folder(name)
    ours = record.file_hashes if record else {}
    named = (effective.settings.registries, f"{folder}/config.yaml", *list_templates(effective.settings))
    changed = [path for path in k3s.changed_files or () if path in named or path.startswith(f"{folder}/config.yaml.d/")]
    kept = [path for path in changed if path not in restored and path in state.files]
    found = [path for path in kept if ours.get(path) != state.files[path].digest]
    return tuple(f"{path} changed after {name} started" for path in found)

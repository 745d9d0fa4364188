"""What a node with k3s or RKE2 must be before it can be planned, and what a plan for it must achieve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.containerd.checks import require_same_dump
from harbor_agent.planning.containerd.k3s.effective import view_containerd
from harbor_agent.planning.containerd.k3s.settings import require_k3s
from harbor_agent.planning.refusal import RefusedError, require_idle_systemd
from harbor_agent.planning.systemd.unit_files import find_fragment, is_unit_masked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective


def require_plannable(state: NodeState, name: str) -> None:
    """Raise RefusedError for a node on which k3s or RKE2 cannot be changed."""
    require_idle_systemd(state)
    unit = require_k3s(state, name).unit
    fragment = find_fragment(state.files, unit.name)
    masked = fragment and is_unit_masked(state.files[fragment])
    if masked or "masked" in (unit.load_state, unit.unit_file_state.removesuffix("-runtime")):
        raise RefusedError("unit-masked", f"{unit.name} is masked: this node does not run {name}", "unmask the unit")


def require_same_reading(state: NodeState, name: str, effective: Effective) -> None:
    """Raise RefusedError if containerd reads other registry settings in its files than this program."""
    if effective.written is not None:
        require_same_dump(view_containerd(state, name), effective.written)


def require_sound(after: Effective, missing: Iterable[Address], removable: Iterable[Address]) -> None:
    """Refuse a plan that would not take effect; an edit has compared everything else in the file already."""
    if any(not after.is_trusted(one) for one in missing) or any(after.is_trusted(one) for one in removable):
        message = f"the change of {after.settings.registries} would not take effect"
        raise RefusedError("settings-would-change", message, "edit the file by hand on this node")

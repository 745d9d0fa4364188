"""What a node with CRI-O or podman must be before it can be planned, and what a plan must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_text
from harbor_agent.model.runtimes.containers_image import PODMAN
from harbor_agent.planning.containers_image.effective import find_table, is_trusted, summarize
from harbor_agent.planning.containers_image.state import MACHINE_CONFIG, find_runtime_state
from harbor_agent.planning.refusal import RefusedError, require_idle_systemd
from harbor_agent.planning.runtime import takes_effect
from harbor_agent.planning.systemd.unit_files import find_fragment, is_unit_masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective

_CLUSTER_HINT = (
    "let the cluster write it: oc edit image.config.openshift.io/cluster, and add the registry to "
    "spec.registrySources.insecureRegistries"
)
BY_HAND = "configure the registry by hand on this node"
_FIX = "fix the file by hand, and check it with 'podman info'"


def require_plannable(state: NodeState, name: str) -> None:
    """Raise RefusedError for a node without a runtime of this name that can be changed."""
    require_idle_systemd(state)
    runtime = find_runtime_state(state, name)
    if runtime is None:
        code = "podman-absent" if name == PODMAN else "cri-o-absent"
        message = f"there is no {name} on the node"
        raise RefusedError(code, message, "remove it from the inventory, or choose another --runtime")
    unit = runtime.unit
    if unit is None:
        return
    fragment = find_fragment(state.files, unit.name)
    masked = fragment and is_unit_masked(state.files[fragment])
    if masked or "masked" in (unit.load_state, unit.unit_file_state.removesuffix("-runtime")):
        message = f"{unit.name} is masked: this node does not run {name}"
        raise RefusedError("unit-masked", message, "configure the runtime that kubelet uses")


def require_same_reading(state: NodeState, name: str, effective: Effective) -> None:
    """Raise RefusedError if podman itself reads other registries in its files than this program, or rejects a file."""
    runtime = find_runtime_state(state, name)
    if runtime is None or name != PODMAN:
        return
    if runtime.error:
        raise RefusedError("file-invalid", f"podman rejects its files: {mask_text(runtime.error.encode())}", _FIX)
    ours = {prefix: one.table.insecure and not one.table.blocked for prefix, one in effective.tables.items()}
    if runtime.registries is not None and dict(runtime.registries) != ours:
        differing = sorted(set(runtime.registries.items()) ^ set(ours.items()))
        message = f"podman reads other registries in its files than they seem to say: {differing[0][0]}"
        raise RefusedError("settings-unclear", message, _FIX)


def require_unmanaged_node(state: NodeState) -> None:
    """Refuse a node whose files belong to OpenShift's machine-config operator, which reverts or reports any edit."""
    marker = state.files.get(MACHINE_CONFIG)
    if marker and marker.exists:
        message = f"the machine-config operator of the cluster owns the node's files ({MACHINE_CONFIG})"
        raise RefusedError("file-managed", message, _CLUSTER_HINT)


def require_trusted(after: Effective, missing: Sequence[Address]) -> None:
    """Refuse a plan that would leave a registry untrusted, as a wildcard of the length of its name does."""
    for address in missing:
        if not is_trusted(after, address):
            located = find_table(after, address.entry)
            winner = f"'{located.table.prefix}' in {located.path}" if located else "another table"
            message = f"the change would not take effect: {winner} counts for {address.entry}"
            raise RefusedError("settings-would-change", message, BY_HAND)


def require_sound(before: Effective, after: Effective, removed: list[str], entries: list[str]) -> None:
    """Refuse a plan that would change other registries or settings."""
    now, then = summarize(before), summarize(after)
    differing = set(now.entries) ^ set(then.entries)
    is_ours = all(any(one == entry or one.startswith(f"{entry}/") for entry in entries) for one in differing)
    if not is_ours or not takes_effect(now, then, removed=removed):
        message = "the change would not take effect, or would change other settings of registries.conf"
        raise RefusedError("settings-would-change", message, BY_HAND)

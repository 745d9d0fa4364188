"""What a node with containerd must be before it can be planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harbor_agent.formats.redact import mask_text
from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.planning.containerd.state import find_containerd
from harbor_agent.planning.refusal import RefusedError, find_pending_transaction
from harbor_agent.planning.systemd.unit_files import find_fragment, is_unit_masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective

# Measured: 1.6.20 says "invalid reference format" of every such image, 1.7.24 pulls it.
_IPV6_SINCE = (1, 7)
_FIX = "fix the file by hand, and check it with 'containerd config dump'"


def require_plannable(state: NodeState) -> None:
    """Raise RefusedError for a node without a containerd that can be changed."""
    if pending := find_pending_transaction(state):
        raise RefusedError.from_problem(pending)
    if state.system.init not in ("", "systemd"):
        message = f"process 1 of the node is {state.system.init}, not systemd"
        raise RefusedError("no-systemd", message, "only nodes with systemd can be changed")
    containerd = find_containerd(state)
    if containerd is None:
        message = "there is no containerd on the node that kubelet could use"
        raise RefusedError("containerd-absent", message, "remove it from the inventory, or choose another --runtime")
    unit = containerd.unit
    fragment = find_fragment(state.files, unit.name)
    masked = fragment and is_unit_masked(state.files[fragment])
    if masked or "masked" in (unit.load_state, unit.unit_file_state.removesuffix("-runtime")):
        message = f"{unit.name} is masked: this node does not run containerd"
        raise RefusedError("unit-masked", message, "configure the runtime that kubelet uses")
    # without a configuration file the program prints an error, and the daemon runs with its defaults
    has_config = containerd.config_file in state.files and state.files[containerd.config_file].exists
    if containerd.dump is None and containerd.dump_error and has_config:
        message = f"containerd rejects its configuration: {mask_text(containerd.dump_error.encode())}"
        raise RefusedError("file-invalid", message, _FIX)


def require_pullable(addresses: Sequence[Address], effective: Effective) -> None:
    """Raise RefusedError for a registry whose images this containerd cannot name."""
    for address in addresses:
        if effective.version < _IPV6_SINCE and ":" in address.host:
            message = f"containerd {effective.version[0]}.{effective.version[1]} pulls no image from an IPv6 address"
            raise RefusedError("address-unsupported", message, "give the registry a name, or update containerd to 1.7")


def require_same_dump(state: NodeState, effective: Effective) -> None:
    """Raise RefusedError if containerd itself reads other registry settings in its files than this program."""
    containerd = find_containerd(state)
    if containerd is None or containerd.dump is None:
        return
    try:
        registry = _find_registry(parse_toml(containerd.dump).values)
    except FormatError as error:
        message = f"'containerd config dump' prints what is not TOML (line {error.line}: {error.reason})"
        raise RefusedError("settings-unclear", message, _FIX) from None
    found = str(registry.get("config_path") or "")
    # newer releases show '' and mean their default directories
    if found not in (effective.config_path, effective.registry.get("config_path") or ""):
        message = f"containerd reads config_path '{found}' in its files, but they say '{effective.config_path}'"
        raise RefusedError("settings-unclear", message, _FIX)
    if sorted(registry.get("mirrors") or {}) != sorted(effective.mirrors):
        message = "containerd reads other registry.mirrors in its files than they seem to say"
        raise RefusedError("settings-unclear", message, _FIX)


def _find_registry(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the registry settings of a dump, which has the names of the newest version of its daemon."""
    plugins = values.get("plugins", {})
    for name in ("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "cri"):
        if name in plugins:
            registry = plugins[name].get("registry", {})
            return registry if isinstance(registry, dict) else {}
    return {}

"""What a node with containerd must be before it can be planned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.redact import mask_text
from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.containerd.state import K0S_CONFIG, SNAP_TEMPLATE, find_containerd
from harbor_agent.planning.files.managed import require_unmanaged
from harbor_agent.planning.refusal import RefusedError, require_idle_systemd
from harbor_agent.planning.systemd.unit_files import find_fragment, is_unit_masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective

# Measured: 1.6.20 says "invalid reference format" of every such image, 1.7.24 pulls it.
_IPV6_SINCE = (1, 7)
_NO_RANCHER = (
    "no process or unit of k3s or RKE2 was found: start its unit and plan again, or edit registries.yaml by hand"
)
_FIX = "fix the file by hand, and check it with 'containerd config dump'"
# k3s and RKE2 write this file, in their data directory, at each start; MicroK8s the other one, from a template.
_GENERATED = "/agent/etc/containerd/config.toml"
_FROM_TEMPLATE = re.compile(r"/var/snap/[^/]+/[^/]+/args/containerd\.toml")


def require_automatic_route(desired: DesiredState) -> None:
    """Raise RefusedError for a forced route: those that can be forced are Docker's."""
    if desired.route is not RouteChoice.AUTO:
        message = f"--route {desired.route}: containerd reads no such file"
        raise RefusedError("route-ineffective", message, "use --route auto")


def require_plannable(state: NodeState) -> None:
    """Raise RefusedError for a node without a containerd that can be changed."""
    require_idle_systemd(state)
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


def require_configurable(state: NodeState) -> None:
    """Raise RefusedError for a containerd that cannot be changed, or that registries.yaml of k3s or RKE2 configures."""
    require_plannable(state)
    containerd = find_containerd(state)
    if containerd and containerd.config_file.endswith(_GENERATED):
        message = (
            f"k3s or RKE2 writes {containerd.config_file} at each start: a registry belongs in its registries.yaml"
        )
        raise RefusedError("file-managed", message, _NO_RANCHER)
    for path, name in ((SNAP_TEMPLATE, "MicroK8s"), (K0S_CONFIG, "k0s")):
        if containerd and containerd.config_file == path and not state.files[path].exists:
            message = f"there is no {path}: this is not a tree of {name}"
            raise RefusedError("containerd-absent", message, "choose another --assume-runtime")


def require_lasting(changes: Sequence[FileChange]) -> None:
    """Refuse the change of a file that a program writes, now and then or at each start."""
    require_unmanaged(changes)
    for change in changes:
        if _FROM_TEMPLATE.fullmatch(change.path):
            message = f"{change.path} is made from containerd-template.toml at each start"
            raise RefusedError("file-managed", message, "set config_path in containerd-template.toml by hand")
        if change.path.startswith("/run/"):
            message = f"{change.path} is made again at each start"
            hint = "set config_path in a file of the program that makes it; k0s takes those in /etc/k0s/containerd.d"
            raise RefusedError("file-managed", message, hint)


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

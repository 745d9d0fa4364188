"""What was observed of containerd, out of everything that was observed of a node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containerd import NAME, ContainerdState

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState, Record

# MicroK8s makes the configuration from this template at each start.
SNAP_TEMPLATE = "/var/snap/microk8s/current/args/containerd-template.toml"
# k0s starts containerd with this configuration.
K0S_CONFIG = "/etc/k0s/containerd.toml"
Version = tuple[int, int, int]
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# Of the versions that are in use, the one with the fewest abilities of its own.
_UNKNOWN_VERSION = (1, 7, 0)


def find_containerd(state: NodeState) -> ContainerdState | None:
    """Return the containerd that counts on the node, None if there is none."""
    return next((runtime for runtime in state.runtimes if isinstance(runtime, ContainerdState)), None)


def require_containerd(state: NodeState) -> ContainerdState:
    """Return the containerd of a node that is known to have one."""
    containerd = find_containerd(state)
    if containerd is None:
        raise LookupError("the node has no containerd")
    return containerd


def find_record(state: NodeState) -> Record | None:
    """Return what this tool last applied to containerd on the node."""
    return state.records.get(NAME)


def read_version(containerd: ContainerdState) -> Version:
    """Return the first three numbers of the daemon's version."""
    match = _VERSION.search(containerd.version)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else _UNKNOWN_VERSION

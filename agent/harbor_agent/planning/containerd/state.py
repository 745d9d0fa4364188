"""What was observed of containerd, out of everything that was observed of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containerd import NAME, ContainerdState

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState, Record


def find_containerd(state: NodeState) -> ContainerdState | None:
    """Return the containerd that counts on the node, None if there is none."""
    return next((runtime for runtime in state.runtimes if isinstance(runtime, ContainerdState)), None)


def find_record(state: NodeState) -> Record | None:
    """Return what this tool last applied to containerd on the node."""
    return state.records.get(NAME)

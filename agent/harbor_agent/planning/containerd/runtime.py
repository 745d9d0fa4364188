"""containerd as one of the runtimes that a node may have (`harbor_agent.planning.runtime.Runtime`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containerd import NAME
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.in_effect import evaluate_files
from harbor_agent.planning.containerd.plan import plan
from harbor_agent.planning.containerd.process import list_live_entries
from harbor_agent.planning.containerd.rollback import restore
from harbor_agent.planning.containerd.state import find_containerd
from harbor_agent.planning.containerd.tree import observe_k0s, observe_snap, observe_tree
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.runtime import ProcessState

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

__all__ = [
    "ALWAYS_TRUSTED",
    "DAEMON",
    "NAME",
    "TEMPLATES",
    "describe_process",
    "evaluate_files",
    "find_socket",
    "is_in_use",
    "is_present",
    "is_running",
    "observe_k0s",
    "observe_snap",
    "observe_tree",
    "plan",
    "restore",
]

DAEMON = "containerd"
ALWAYS_TRUSTED: tuple[str, ...] = ()
TEMPLATES: tuple[str, ...] = ()


def is_present(state: NodeState) -> bool:
    """Whether the node has containerd, and not only as a part of Docker."""
    return find_containerd(state) is not None


def is_running(state: NodeState) -> bool:
    """Whether containerd runs."""
    containerd = find_containerd(state)
    return containerd is not None and (containerd.argv is not None or containerd.unit.active_state == "active")


def is_in_use(state: NodeState) -> bool:
    """Whether containerd runs, or systemd starts it at boot."""
    containerd = find_containerd(state)
    return is_running(state) or (containerd is not None and containerd.unit.unit_file_state.startswith("enabled"))


def find_socket(state: NodeState) -> str:
    """Return the socket on which containerd listens."""
    containerd = find_containerd(state)
    return containerd.socket if containerd else ""


def describe_process(state: NodeState) -> ProcessState:
    """Return what is known of the running process.

    Its arguments are left out: a change never concerns them.
    """
    containerd = find_containerd(state)
    if containerd is None:
        return ProcessState()
    try:
        entries = list_live_entries(state, evaluate(state))
    except RefusedError:
        entries = None
    return ProcessState(version=containerd.version, entries=entries, containers=containerd.containers)

"""CRI-O as one of the runtimes that a node may have (`harbor_agent.planning.runtime.Runtime`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containers_image import CRIO
from harbor_agent.planning.containers_image import plan as planner
from harbor_agent.planning.containers_image import tree as observer
from harbor_agent.planning.containers_image.effective import evaluate, summarize
from harbor_agent.planning.containers_image.state import find_runtime_state
from harbor_agent.planning.runtime import ProcessState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import Plan, Refusal
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import FileState, NodeState
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.planning.runtime import FileTree, InEffect

NAME = CRIO
DAEMON = "crio"
ALWAYS_TRUSTED: tuple[str, ...] = ()
TEMPLATES: tuple[str, ...] = ()


def is_present(state: NodeState) -> bool:
    """Whether the node has CRI-O."""
    return find_runtime_state(state, NAME) is not None


def is_running(state: NodeState) -> bool:
    """Whether CRI-O runs."""
    crio = find_runtime_state(state, NAME)
    return crio is not None and (
        crio.argv is not None or (crio.unit is not None and crio.unit.active_state == "active")
    )


def is_in_use(state: NodeState) -> bool:
    """Whether CRI-O runs, or systemd starts it at boot."""
    crio = find_runtime_state(state, NAME)
    is_enabled = crio is not None and crio.unit is not None and crio.unit.unit_file_state.startswith("enabled")
    return is_enabled or is_running(state)


def find_socket(state: NodeState) -> str:
    """Return the socket on which CRI-O listens."""
    crio = find_runtime_state(state, NAME)
    return crio.socket if crio else ""


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    """Plan the change to the desired state. Never raises for what is on the node."""
    return planner.plan(node, state, desired, templates, NAME)


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed."""
    return planner.restore(node, state, earlier, reason, NAME)


def evaluate_files(state: NodeState) -> InEffect:
    """Evaluate the node's files. Raises RefusedError for files that cannot be evaluated."""
    return summarize(evaluate(state, NAME))


def describe_process(state: NodeState) -> ProcessState:
    """Return what is known of the running process."""
    found = find_runtime_state(state, NAME)
    if found is None:
        return ProcessState()
    return ProcessState(version=found.version, entries=found.live_entries, containers=found.containers)


def observe_tree(tree: FileTree, version: str) -> NodeState:
    """Read what planning needs from a file system tree, for a runtime of this version."""
    return observer.observe_tree(tree, version, NAME)

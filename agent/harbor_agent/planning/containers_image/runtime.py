"""CRI-O and podman as runtimes that a node may have (`harbor_agent.planning.runtime.Runtime`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containers_image import CRIO, PODMAN
from harbor_agent.planning.containers_image import plan as planner
from harbor_agent.planning.containers_image import rollback, tree
from harbor_agent.planning.containers_image.effective import evaluate, summarize
from harbor_agent.planning.containers_image.process import list_live_entries
from harbor_agent.planning.containers_image.state import find_runtime_state
from harbor_agent.planning.runtime import ProcessState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import Plan, Refusal
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import FileState, NodeState
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.planning.runtime import FileTree, InEffect


class ContainersImageRuntime:
    """CRI-O or podman: they read the same files, and podman has no daemon."""

    ALWAYS_TRUSTED: tuple[str, ...] = ()
    TEMPLATES: tuple[str, ...] = ()

    def __init__(self, name: str, daemon: str) -> None:
        """Keep the name in plans and records, and that of the program."""
        self.NAME = name
        self.DAEMON = daemon

    def is_present(self, state: NodeState) -> bool:
        """Whether the node has it."""
        return find_runtime_state(state, self.NAME) is not None

    def is_running(self, state: NodeState) -> bool:
        """Whether its daemon runs: never for podman, which has none."""
        found = find_runtime_state(state, self.NAME)
        if found is None or found.unit is None:
            return False
        return found.argv is not None or found.unit.active_state == "active"

    def is_in_use(self, state: NodeState) -> bool:
        """Whether it runs, or systemd starts it at boot; podman is in use where it is installed."""
        found = find_runtime_state(state, self.NAME)
        if found is None or found.unit is None:
            return found is not None
        return found.unit.unit_file_state.startswith("enabled") or self.is_running(state)

    def find_socket(self, state: NodeState) -> str | None:
        """Return the socket on which it listens; None for podman, which kubelet cannot use."""
        found = find_runtime_state(state, self.NAME)
        return found.socket if found and found.socket else None

    def plan(self, node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
        """Plan the change to the desired state. Never raises for what is on the node."""
        return planner.plan(node, state, desired, templates, self.NAME)

    def restore(self, node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
        """Plan the restoration of `earlier` files, given in the order in which they were changed."""
        return rollback.restore(node, state, earlier, reason, self.NAME)

    def evaluate_files(self, state: NodeState) -> InEffect:
        """Evaluate the node's files. Raises RefusedError for files that cannot be evaluated."""
        return summarize(evaluate(state, self.NAME), state.records.get(self.NAME))

    def describe_process(self, state: NodeState) -> ProcessState:
        """Return what is known of the running process, or what podman itself reads in its files."""
        found = find_runtime_state(state, self.NAME)
        if found is None:
            return ProcessState()
        entries = list_live_entries(state, self.NAME)
        return ProcessState(version=found.version, entries=entries, containers=found.containers)

    def observe_tree(self, files: FileTree, version: str) -> NodeState:
        """Read what planning needs from a file system tree, for a runtime of this version."""
        return tree.observe_tree(files, version, self.NAME)


crio = ContainersImageRuntime(CRIO, "CRI-O")
podman = ContainersImageRuntime(PODMAN, "podman")

"""k3s and RKE2 as runtimes that a node may have (`harbor_agent.planning.runtime.Runtime`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containerd import K3S, RKE2
from harbor_agent.planning.containerd.k3s import plan as planner
from harbor_agent.planning.containerd.k3s import rollback, tree
from harbor_agent.planning.containerd.k3s.effective import evaluate, summarize
from harbor_agent.planning.containerd.k3s.process import list_live_entries
from harbor_agent.planning.containerd.k3s.settings import find_k3s
from harbor_agent.planning.runtime import ProcessState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import Plan, Refusal
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import FileState, NodeState
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.planning.runtime import FileTree, InEffect


class K3sRuntime:
    """k3s or RKE2, which starts a containerd of its own."""

    ALWAYS_TRUSTED: tuple[str, ...] = ()
    TEMPLATES: tuple[str, ...] = ()

    def __init__(self, name: str, daemon: str) -> None:
        """Keep the name in plans and records, and that of the program."""
        self.NAME = name
        self.DAEMON = daemon

    def is_present(self, state: NodeState) -> bool:
        """Whether the node has it."""
        return find_k3s(state, self.NAME) is not None

    def is_running(self, state: NodeState) -> bool:
        """Whether it runs."""
        found = find_k3s(state, self.NAME)
        return found is not None and (found.argv is not None or found.unit.active_state == "active")

    def is_in_use(self, state: NodeState) -> bool:
        """Whether it runs, or systemd starts it at boot."""
        found = find_k3s(state, self.NAME)
        return found is not None and (self.is_running(state) or found.unit.unit_file_state.startswith("enabled"))

    def find_socket(self, state: NodeState) -> str:
        """Return the socket on which its containerd listens."""
        return tree.SOCKET if self.is_present(state) else ""

    def plan(self, node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
        """Plan the change to the desired state. Never raises for what is on the node."""
        return planner.plan(node, state, desired, templates, self.NAME)

    def restore(self, node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
        """Plan the restoration of `earlier` files, given in the order in which they were changed."""
        return rollback.restore(node, state, earlier, reason, self.NAME)

    def evaluate_files(self, state: NodeState) -> InEffect:
        """Evaluate the files. Raises RefusedError for files that cannot be evaluated."""
        return summarize(evaluate(state, self.NAME))

    def describe_process(self, state: NodeState) -> ProcessState:
        """Return what is known of the running process, whose arguments are hidden; a tree has none."""
        found = find_k3s(state, self.NAME)
        if found is None:
            return ProcessState()
        entries = None if state.offline or found.argv is None else list_live_entries(state, self.NAME)
        return ProcessState(version=found.version, entries=entries, containers=found.containerd.containers)

    def observe_tree(self, files: FileTree, version: str) -> NodeState:
        """Read what planning needs from a file system tree, for a version of k3s or RKE2."""
        return tree.observe_tree(files, version, self.NAME)


k3s = K3sRuntime(K3S, "k3s")
rke2 = K3sRuntime(RKE2, "RKE2")

"""Plan and change a file system tree with the planner of the nodes (`--root DIR`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.errors import Problem
from harbor_agent.local.tree import Tree
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.policy import RuntimeChoice
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.planning.node import observe_tree

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.resolve import Resolved

DEFAULT_RUNTIME = "docker"
DEFAULT_VERSIONS = {"docker": "20.10", "containerd": "1.7", "cri-o": "1.36", "podman": "4.3"}


def plan_tree(root: str, resolved: Resolved) -> PlannedNode:
    """Plan the tree below `root` for the runtime of the request (None: a dockerd that supports every route)."""
    tree = Tree(root)
    chosen = resolved.general.runtime
    request = resolved.request
    name = DEFAULT_RUNTIME if chosen is RuntimeChoice.AUTO else chosen.value
    name, version = request.assumed_runtime or (name, request.docker_version if name == DEFAULT_RUNTIME else None)
    node = Node(name=root, address=root, connection="local")
    state = observe_tree(tree, version or DEFAULT_VERSIONS[name], name)
    state = replace(state, unreadable=tuple(_describe_closed_directory(directory) for directory in tree.closed))
    return plan_state(node, resolved.general, state, resolved.request)


def apply_tree(root: str, planned: PlannedNode) -> NodeResult:
    """Write the planned files into the tree; there is no daemon. Raises AgentError if a file has changed since."""
    if planned.outcome is not Outcome.PENDING or not isinstance(planned.decision, Plan):
        return NodeResult(
            node=root, outcome=planned.outcome, reason=planned.reason, problem=planned.problem, verified=None
        )
    tree = Tree(root)
    for change in planned.decision.changes:
        tree.write(change)
    return NodeResult(node=root, outcome=Outcome.CHANGED, reason=planned.reason)


def _describe_closed_directory(directory: str) -> Problem:
    message = f"cannot read the directory {directory}: permission denied"
    return Problem(code="directory-unreadable", message=message, hint="plan as a user who may read the whole tree")

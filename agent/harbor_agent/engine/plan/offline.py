"""Plan and change a file system tree with the planner of the nodes (`--root DIR`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.errors import Problem
from harbor_agent.local.tree import Tree
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.planning.node import observe_tree

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.resolve import Resolved

DEFAULT_VERSION = "20.10"


def plan_tree(root: str, resolved: Resolved) -> PlannedNode:
    """Plan the tree below `root` for the dockerd version of the request (None: one that supports every route)."""
    tree = Tree(root)
    docker_version = resolved.request.docker_version
    node = Node(name=root, address=root, connection="local")
    state = observe_tree(tree, docker_version or DEFAULT_VERSION)
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

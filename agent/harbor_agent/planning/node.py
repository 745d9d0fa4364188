"""Which runtime of a node is planned: the only module that knows all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Refusal
from harbor_agent.model.policy import RuntimeChoice
from harbor_agent.planning.docker import runtime as docker
from harbor_agent.planning.docker.edits.render import render_drop_in
from harbor_agent.planning.kubelet import build_refusal, build_warning, find_other_runtime

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.snapshot import Snapshot
    from harbor_agent.model.state import NodeState, Record
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.planning.kubelet import OtherRuntime
    from harbor_agent.planning.runtime import FileTree, Runtime

__all__ = ["RUNTIMES", "find_record", "find_runtime", "observe_tree", "plan_node", "plan_restoration", "render_drop_in"]

RUNTIMES: tuple[Runtime, ...] = (docker,)
TEMPLATES = tuple(name for runtime in RUNTIMES for name in runtime.TEMPLATES)


def find_runtime(state: NodeState) -> Runtime:
    """Return the runtime to configure; on a node that has none of them the first, which then refuses the node."""
    return next((runtime for runtime in RUNTIMES if runtime.is_present(state)), RUNTIMES[0])


def find_record(state: NodeState) -> Record | None:
    """Return what this tool last applied to the node's runtime."""
    return state.records.get(find_runtime(state).NAME)


def plan_node(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    """Plan one node. Never raises for what is on the node: a node that cannot be planned is a `Refusal`."""
    runtime = find_runtime(state)
    decision = runtime.plan(node, state, desired, templates)
    other = find_other_runtime(state.kubelet) if state.kubelet and runtime.is_present(state) else None
    return decision if other is None else judge_other_runtime(decision, desired.runtime, other)


def judge_other_runtime(decision: Plan | Refusal, choice: RuntimeChoice, other: OtherRuntime) -> Plan | Refusal:
    """Refuse the plan of a runtime that kubelet does not use, or warn if the operator chose that runtime."""
    warning = build_warning(other)
    if choice is not RuntimeChoice.AUTO:
        if any(one.code == warning.code for one in decision.warnings):
            return decision
        return replace(decision, warnings=(*decision.warnings, warning))
    if isinstance(decision, Refusal) and decision.problem.code == "transaction-pending":
        return decision
    return Refusal(node=decision.node, runtime=decision.runtime, problem=build_refusal(other))


def plan_restoration(node: str, state: NodeState, snapshot: Snapshot, reason: str) -> Plan | Refusal:
    """Plan the restoration of the files of a snapshot, for the runtime that it names or else the node's."""
    named = next((runtime for runtime in RUNTIMES if snapshot.runtime == runtime.NAME), None)
    return (named or find_runtime(state)).restore(node, state, [file.state for file in snapshot.files], reason)


def observe_tree(tree: FileTree, version: str) -> NodeState:
    """Read what planning needs from a file system tree, for a runtime of this version."""
    return RUNTIMES[0].observe_tree(tree, version)

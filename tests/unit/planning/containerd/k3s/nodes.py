"""File trees with k3s or RKE2, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.planning.containerd.k3s.runtime import k3s, rke2

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

HARBOR = "192.168.0.99"
RUNTIMES = {"k3s": k3s, "rke2": rke2}


def want(*entries: str) -> DesiredState:
    return DesiredState(present=tuple(map(Address.parse, entries)))


def unwant(*entries: str) -> DesiredState:
    return DesiredState(absent=tuple(map(Address.parse_removal, entries)))


def decide(state: NodeState, desired: DesiredState | None = None) -> Plan | Refusal:
    runtime = RUNTIMES[state.runtimes[0].name]  # type: ignore[union-attr]
    return runtime.plan("node-1", state, desired or want(HARBOR), {})


def planned(state: NodeState, desired: DesiredState | None = None) -> Plan:
    decision = decide(state, desired)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refused(state: NodeState, desired: DesiredState | None = None) -> Refusal:
    decision = decide(state, desired)
    assert isinstance(decision, Refusal), decision.reason
    return decision


def applied(state: NodeState, plan: Plan) -> NodeState:
    """Return the tree after the plan; a tree has no records."""
    return replace(state, files={**state.files, **{change.path: change.after for change in plan.changes}})


def shown(state: NodeState) -> dict[str, bytes | None]:
    return {path: file.content for path, file in state.files.items() if file.exists and file.content is not None}

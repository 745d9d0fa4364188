"""What is requested of a node in the tests of several runtimes, and what is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.planning.node import find_runtime

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

HARBOR = "192.168.0.99"


def want(*entries: str) -> DesiredState:
    return DesiredState(present=tuple(map(Address.parse, entries)))


def unwant(*entries: str) -> DesiredState:
    return DesiredState(absent=tuple(map(Address.parse_removal, entries)))


def decide(state: NodeState, desired: DesiredState | None = None) -> Plan | Refusal:
    """Plan the runtime of the node, for one registry if nothing else is requested."""
    return find_runtime(state).plan("node-1", state, desired or want(HARBOR), {})


def planned(state: NodeState, desired: DesiredState | None = None) -> Plan:
    decision = decide(state, desired)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refused(state: NodeState, desired: DesiredState | None = None) -> Refusal:
    decision = decide(state, desired)
    assert isinstance(decision, Refusal), decision.reason
    return decision

"""Plans of Docker nodes as the tests make and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import HARBOR, TEMPLATES, want

if TYPE_CHECKING:
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

DEBIAN_ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
FLAG = f"--insecure-registry={HARBOR}"


def plan(state: NodeState, wanted: DesiredState | None = None) -> Plan:
    decision = plan_node("node-1", state, wanted or want(HARBOR), TEMPLATES)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refusal(state: NodeState, wanted: DesiredState | None = None) -> Refusal:
    decision = plan_node("node-1", state, wanted or want(HARBOR), TEMPLATES)
    assert isinstance(decision, Refusal), decision.reason
    return decision


def after(decision: Plan, path: str) -> str | None:
    content = {change.path: change.after.content for change in decision.changes}[path]
    return None if content is None else content.decode()


def codes(decision: Plan) -> list[str]:
    return [warning.code for warning in decision.warnings]

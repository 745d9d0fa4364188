"""A run stops before the first restart for a registry that no node reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.engine.plan.reachability import find_unreachable_registries, require_reachable_registries
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.errors import StoppedError
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy, Registry
from harbor_agent.model.state import Reachability
from tests.unit.planning.docker.nodes import DEBIAN_UNIT, FRAGMENT, HARBOR, PLAIN_UNIT, node, running, want

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode

ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
POLICY = Policy(registries=(Registry(address=want(HARBOR).present[0]),))
DOWN = Reachability(entry=HARBOR, http_status=0, detail="Connection refused")
UNRESOLVED = Reachability(entry=HARBOR, resolved=(), http_status=0, detail="the name does not resolve")
UP = Reachability(entry=HARBOR, http_status=401)
NOT_TRIED = Reachability(entry=HARBOR)


def plan(*seen: Reachability, unit: str = DEBIAN_UNIT, trusted: tuple[str, ...] = ()) -> PlannedNode:
    state = replace(running(node({FRAGMENT: unit}), ARGV, trusted), reachability=seen)
    return plan_state(Node(name="node1", address="192.0.2.1"), POLICY, state, RunRequest())


@pytest.mark.parametrize("nodes", [[plan(DOWN)], [plan(DOWN), plan(UNRESOLVED)]])
def test_no_node_reaches_it(nodes: list[PlannedNode]) -> None:
    with pytest.raises(StoppedError) as stopped:
        require_reachable_registries(nodes)
    assert stopped.value.problem.code == "registry-not-reached"
    assert f"{HARBOR} (Connection refused)" in stopped.value.problem.message
    assert "--allow-unreachable-registry" in stopped.value.problem.hint


@pytest.mark.parametrize(
    "nodes",
    [
        [plan(DOWN), plan(UP)],
        [plan(DOWN), plan(NOT_TRIED)],
        [plan()],
        [plan(DOWN, unit=PLAIN_UNIT)],  # reloads
        [plan(DOWN, trusted=(HARBOR,))],  # trusts it already
    ],
    ids=["one does", "one cannot say", "none says", "no restart", "trusted before"],
)
def test_everything_else_goes_on(nodes: list[PlannedNode]) -> None:
    assert find_unreachable_registries(nodes) is None


def test_a_proxy_may_reach_what_the_node_does_not() -> None:
    one = plan(DOWN)
    assert one.decision is not None
    warning = replace(one.decision.warnings[0], code="registry-behind-proxy")
    assert find_unreachable_registries([replace(one, decision=replace(one.decision, warnings=(warning,)))]) is None

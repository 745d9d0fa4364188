"""With a kubeconfig the cluster says which runtime a node's kubelet uses, also if that is not seen on the node."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.cluster_runtime import check_cluster_runtimes
from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy, Registry, RuntimeChoice
from harbor_agent.model.result import Outcome
from tests.cluster.standin import standing_in
from tests.lab.kubelet import add_node
from tests.unit.planning.docker.nodes import DEBIAN_UNIT, FRAGMENT, HARBOR, node, running, want

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.engine.plan.nodes import PlannedNode
    from tests.cluster.standin import StandIn

ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
POLICY = Policy(registries=(Registry(address=want(HARBOR).present[0]),))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with standing_in(tmp_path_factory.mktemp("runtimes")) as server:
        add_node(server, "old", address="192.0.2.1", runtime="docker://20.10.24")
        add_node(server, "new", address="192.0.2.2", runtime="containerd://1.6.20")
        yield server


def plan(name: str, choice: RuntimeChoice = RuntimeChoice.AUTO) -> PlannedNode:
    state = running(node({FRAGMENT: DEBIAN_UNIT}), ARGV)
    policy = replace(POLICY, runtime=choice)
    return plan_state(Node(name=name, address=f"{name}.example"), policy, state, RunRequest())


@pytest.mark.field("whose-daemon")
def test_a_node_that_uses_containerd_is_refused_and_one_that_uses_docker_is_not(cluster: StandIn) -> None:
    old, new = check_cluster_runtimes([plan("old"), plan("new")], str(cluster.kubeconfig()), None)
    assert old.outcome is Outcome.PENDING
    assert new.problem is not None
    assert (new.outcome, new.problem.code) == (Outcome.REFUSED, "kubelet-uses-containerd")
    assert "containerd://1.6.20" in new.reason


def test_runtime_docker_only_warns(cluster: StandIn) -> None:
    (new,) = check_cluster_runtimes([plan("new", RuntimeChoice.DOCKER)], str(cluster.kubeconfig()), None)
    assert new.outcome is Outcome.PENDING
    assert new.decision is not None
    assert [warning.code for warning in new.decision.warnings].count("kubelet-uses-containerd") == 1


def test_a_cluster_that_cannot_be_asked_changes_nothing(tmp_path: Path) -> None:
    planned = [plan("new")]
    assert check_cluster_runtimes(planned, str(tmp_path / "missing"), None) == planned
    assert check_cluster_runtimes(planned, None, None) == planned

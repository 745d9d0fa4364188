"""Nodes, their pods and the Eviction API: one contract, over the real server (v1beta1) and a stand-in (v1)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.nodes import CORDONED_BY, open_cluster_nodes
from tests.cluster.standin import standing_in
from tests.lab.kubelet import add_budget, add_node, add_pod, allow, pods_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.kubernetes.nodes import ClusterNode, ClusterNodes
    from tests.cluster.standin import StandIn
    from tests.lab.apiserver import RunningApiServer

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with standing_in(tmp_path_factory.mktemp("stand-in")) as server:
        yield server


@pytest.fixture(params=[pytest.param("v1beta1", marks=pytest.mark.needs("apiserver")), "v1"])
def version(request: pytest.FixtureRequest) -> str:
    """The version of the policy API that the server has."""
    return request.param


@pytest.fixture
def api(request: pytest.FixtureRequest, version: str) -> RunningApiServer | StandIn:
    return request.getfixturevalue({"v1beta1": "apiserver", "v1": "stand_in"}[version])


@pytest.fixture
def cluster(api: RunningApiServer | StandIn) -> Iterator[ClusterNodes]:
    with open_cluster_nodes(str(api.kubeconfig()), None) as opened:
        yield opened


@pytest.fixture
def node(api: RunningApiServer | StandIn) -> str:
    return add_node(api, f"contract-{next(NUMBERS)}")


def seen(cluster: ClusterNodes, name: str) -> ClusterNode:
    found = cluster.get(name)
    assert not isinstance(found, Problem), found
    return found


def test_the_version_of_evictions_is_the_one_that_the_server_has(
    api: RunningApiServer | StandIn, cluster: ClusterNodes, node: str, version: str
) -> None:
    other = {"v1": "v1beta1", "v1beta1": "v1"}[version]
    pod = add_pod(api, node, f"{node}-web")
    body = {"apiVersion": f"policy/{other}", "kind": "Eviction", "metadata": {"name": f"{node}-web"}}
    with pytest.raises(HTTPError):
        api.ask("POST", f"/api/v1/namespaces/default/pods/{node}-web/eviction", body)
    found = cluster.list_pods(node)
    assert not isinstance(found, Problem)
    assert [str(one) for one in found] == [pod]
    assert cluster.evict(found[0]) is None
    again = cluster.list_pods(node)
    assert not isinstance(again, Problem)
    assert [one.ending for one in again] == [True]


def test_a_budget_has_its_say_until_it_allows(
    api: RunningApiServer | StandIn, cluster: ClusterNodes, node: str, version: str
) -> None:
    name = f"{node}-web"
    pod = add_pod(api, node, name)
    budget = add_budget(api, name, allowed=0, version=version)
    (found,) = cluster.list_pods(node)
    refused = cluster.evict(found)
    assert refused
    assert refused.code == "drain-blocked"
    assert pod in refused.message
    assert budget in refused.message
    allow(api, name, allowed=1, version=version)
    assert cluster.evict(found) is None


def test_a_pod_that_went_by_itself_needs_no_eviction(
    api: RunningApiServer | StandIn, cluster: ClusterNodes, node: str
) -> None:
    add_pod(api, node, f"{node}-web")
    (found,) = cluster.list_pods(node)
    api.ask("DELETE", f"/api/v1/namespaces/default/pods/{node}-web", {"gracePeriodSeconds": 0})
    assert pods_on(api, node) == set()
    assert cluster.evict(found) is None


def test_only_pods_that_a_restart_disturbs_are_named(
    api: RunningApiServer | StandIn, cluster: ClusterNodes, node: str
) -> None:
    add_pod(api, node, f"{node}-agent", controller="DaemonSet")
    add_pod(api, node, f"{node}-static", annotations={"kubernetes.io/config.mirror": "x"}, controller=None)
    add_pod(api, node, f"{node}-job", phase="Succeeded")
    add_pod(api, node, f"{node}-crashed", phase="Failed", controller=None)
    add_pod(api, node, f"{node}-lonely", controller=None)
    add_pod(api, node, f"{node}-web")
    found = cluster.list_pods(node)
    assert not isinstance(found, Problem)
    assert {pod.name.removeprefix(f"{node}-"): pod.has_controller for pod in found} == {"lonely": False, "web": True}


def test_a_cordon_says_whose_it_is_and_goes_without_a_trace(
    api: RunningApiServer | StandIn, cluster: ClusterNodes, node: str
) -> None:
    before = api.ask("GET", f"/api/v1/nodes/{node}")
    stale = seen(cluster, node)
    api.ask("PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {"a": "b"}}}, kind="application/merge-patch+json")
    assert cluster.cordon(stale, "run-1") is True
    assert (seen(cluster, node).cordoned, seen(cluster, node).cordoned_by) == (True, "run-1")
    assert cluster.uncordon(node, "run-2") is None
    assert seen(cluster, node).cordoned
    assert cluster.uncordon(node, "run-1") is None
    after = api.ask("GET", f"/api/v1/nodes/{node}")
    assert not after["spec"].get("unschedulable")
    assert CORDONED_BY not in after["metadata"].get("annotations", {})
    assert after["status"] == before["status"]


def test_a_cordon_of_somebody_else_is_left_alone(api: RunningApiServer | StandIn, cluster: ClusterNodes) -> None:
    name = add_node(api, f"contract-{next(NUMBERS)}", cordoned=True)
    assert cluster.cordon(seen(cluster, name), "run-1") is False
    assert cluster.uncordon(name, "run-1") is None
    assert (seen(cluster, name).cordoned, seen(cluster, name).cordoned_by) == (True, "")


def test_nothing_is_missing_to_who_may_do_everything(cluster: ClusterNodes) -> None:
    assert cluster.find_missing_right() is None

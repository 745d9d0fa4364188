"""The story of a pod: it cannot be pulled, the nodes and the secret are changed, and it runs; on Docker and containerd.

No pod names a secret: kubelet has it from the pod's service account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PULLER
from tests.lab.cluster import PAUSE_IMAGE, is_ready
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster
    from tests.e2e.site import Ended

pytestmark = pytest.mark.needs("cluster")

_NAMESPACE = "story"
_NODES = ("node1", "node2")
_NOT_PULLED = ("ErrImagePull", "ImagePullBackOff")
_FAILED = "Failed to pull image"
_ROTATED = replace(PULLER, password="e2e-canary-rotated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order: the commands, and kubelet's words about the pods that could not be pulled."""

    running: dict[str, list[dict[str, Any]]]
    untrusted: dict[str, str]
    plan: Ended
    apply: Ended
    secrets_of_pod: list[dict[str, str]]
    refused: dict[str, str]
    wrong: Ended
    renewed: Ended


@pytest.fixture(scope="module")
def story(cluster: Cluster) -> Story:
    site, api = cluster.site, cluster.api
    cluster.create_namespace(_NAMESPACE)
    settings = site.settings(api, _NAMESPACE)
    untrusted = _create_pods_in_vain(cluster, "before")
    for node in cluster.nodes:
        cluster.create_pod(_NAMESPACE, f"steady-{node.name}", node, image=PAUSE_IMAGE)
    for name in _NODES:
        cluster.wait_pod(_NAMESPACE, f"steady-{name}", "Running")
    running = {name: _read_containers(cluster, name) for name in _NODES}
    plan = site.agent("plan", "-i", site.lab.write_inventory(), "-c", settings, "-o", "json")
    apply = site.agent(
        "apply", "-i", site.lab.write_inventory(), "-c", settings, "--live-restore", "--yes", "-o", "json"
    )
    _create_pods(cluster, "after", "Running")
    site.registry.replace_logins(_ROTATED)
    refused = _create_pods_in_vain(cluster, "rotated")
    login = ("-c", settings, "--username", PULLER.name, "--password-stdin", "--yes", "-o", "json")
    return Story(
        running=running,
        untrusted=untrusted,
        plan=plan,
        apply=apply,
        secrets_of_pod=cluster.pod(_NAMESPACE, "after-node1")["spec"]["imagePullSecrets"],
        refused=refused,
        wrong=site.agent("secret", "apply", *login, stdin="wrong\n"),
        renewed=site.agent("secret", "apply", *login, stdin=f"{_ROTATED.password}\n"),
    )


def _read_containers(cluster: Cluster, node: str) -> list[dict[str, Any]]:
    """Return the containers of the pod that ran before the apply: their IDs, start times and restarts."""
    return cluster.pod(_NAMESPACE, f"steady-{node}")["status"]["containerStatuses"]


def _create_pods(cluster: Cluster, name: str, *states: str) -> None:
    """Create a pod on each node, and wait for one of the states."""
    for node in cluster.nodes:
        cluster.create_pod(_NAMESPACE, f"{name}-{node.name}", node)
    for node in cluster.nodes:
        cluster.wait_pod(_NAMESPACE, f"{name}-{node.name}", *states)


def _create_pods_in_vain(cluster: Cluster, name: str) -> dict[str, str]:
    """Create a pod on each node that cannot pull, and return the events of each by node."""
    _create_pods(cluster, name, *_NOT_PULLED)
    events = {}
    for node in cluster.nodes:
        pod = f"{name}-{node.name}"
        # kubelet writes the state of a pod and its events side by side.
        wait_until(lambda pod=pod: _FAILED in cluster.events(_NAMESPACE, pod), f"{pod} has its event", seconds=60)
        events[node.name] = cluster.events(_NAMESPACE, pod)
    return events


@pytest.mark.parametrize("node", _NODES)
def test_before_apply_kubelet_cannot_pull(story: Story, node: str) -> None:
    assert "server gave HTTP response to HTTPS client" in story.untrusted[node]


def test_a_restart_of_docker_stops_containers_and_no_sandbox_of_a_pod(story: Story) -> None:
    """One pod runs there, and one has its sandbox only."""
    (stopped,) = story.plan.node("node1")["containers_stopped"]
    assert stopped["name"].startswith("k8s_box_steady-node1_")
    assert story.plan.node("node2")["containers_stopped"] == []


def test_apply_changes_both_runtimes_and_pulls_there(story: Story) -> None:
    assert story.apply.code == 0, story.apply.stderr
    results = {node["node"]: (node["outcome"], node["verified"]) for node in story.apply.document["nodes"]}
    assert results == {"node1": ("changed", True), "node2": ("changed", True)}
    assert [node["action"] for node in story.apply.document["nodes"]] == ["restart", "restart"]


@pytest.mark.parametrize("node", _NODES)
def test_the_restart_of_the_runtime_restarts_no_container(story: Story, cluster: Cluster, node: str) -> None:
    assert is_ready(cluster.api, node)
    assert _read_containers(cluster, node) == story.running[node]


def test_after_it_a_pod_runs_that_names_no_secret(story: Story) -> None:
    assert story.secrets_of_pod == [{"name": "harbor-pull"}]


def test_yesterdays_password_is_refused_in_the_words_of_each_runtime(story: Story) -> None:
    assert "unauthorized: authentication required" in story.refused["node1"]
    assert "401 Unauthorized" in story.refused["node2"]


def test_a_wrong_password_gets_into_no_secret(story: Story) -> None:
    assert story.wrong.code == 1
    assert story.wrong.document["error"]["code"] == "registry-credentials-wrong"


@pytest.mark.parametrize("node", _NODES)
def test_with_the_new_password_the_same_pod_runs(story: Story, cluster: Cluster, node: str) -> None:
    assert story.renewed.code == 0, story.renewed.stderr
    cluster.wait_pod(_NAMESPACE, f"rotated-{node}", "Running")


def test_a_deleted_namespace_really_ends(story: Story, cluster: Cluster) -> None:
    assert story.renewed.code == 0
    cluster.api.ask("DELETE", f"/api/v1/namespaces/{_NAMESPACE}")
    cluster.wait_end_of_namespace(_NAMESPACE)

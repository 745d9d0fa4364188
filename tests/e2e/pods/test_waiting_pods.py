"""Pods that failed before the change: reported after it, and made again on request if a controller makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PULLER
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster
    from tests.e2e.site import Ended

pytestmark = pytest.mark.needs("cluster")

_NAMESPACE = "waiting"
_PODS = f"/api/v1/namespaces/{_NAMESPACE}/pods"
_CODE = "pods-waiting-for-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A pod of a Deployment and a bare one that cannot be pulled and why, an apply, and one with `--retry-pods`."""

    owned: str
    diagnosis: Ended
    apply: Ended
    retry: Ended
    after: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(cluster: Cluster) -> Story:
    site, api = cluster.site, cluster.api
    site.registry.replace_logins(PULLER)
    # Other modules change this node too: with their entry in force, kubelet would meet the login first.
    reset = site.run("rollback", "--pristine", "--yes", nodes=cluster.nodes[1:])
    assert reset.code == 0, reset.stdout + reset.stderr
    cluster.create_namespace(_NAMESPACE)
    cluster.create_pod(_NAMESPACE, "bare", cluster.nodes[1])
    cluster.create_deployment(_NAMESPACE, "web", cluster.nodes[1])
    wait_until(lambda: len(api.ask("GET", _PODS)["items"]) == 2, "both pods are there", seconds=30)
    (owned,) = [pod["metadata"]["name"] for pod in api.ask("GET", _PODS)["items"] if pod["metadata"]["name"] != "bare"]
    for name in ("bare", owned):
        cluster.wait_pod(_NAMESPACE, name, "ErrImagePull", "ImagePullBackOff")
    asked = ("diagnose", f"{_NAMESPACE}/bare", "--kubeconfig", api.kubeconfig(), "--registry", site.registry.entry)
    diagnosis = site.agent(*asked, "-o", "json")
    # Without an account, the secret is there, and kubelet goes on without it.
    settings = site.settings(api, _NAMESPACE, service_accounts=())
    arguments = ("apply", "-i", site.lab.write_inventory(), "-c", settings, "--yes", "-o", "json")
    apply = site.agent(*arguments)
    attach = ("--service-account", "default")
    retry = site.agent(*arguments, "--retry-pods", *attach)
    return Story(owned=owned, diagnosis=diagnosis, apply=apply, retry=retry, after=api.ask("GET", _PODS)["items"])


def find_warning(ended: Ended) -> dict[str, str]:
    """Return the warning about waiting pods."""
    (found,) = [warning for warning in ended.document["warnings"] if warning["code"] == _CODE]
    return found


def test_why_kubelet_does_not_pull_is_found_in_its_own_words(story: Story, cluster: Cluster) -> None:
    assert story.diagnosis.code == 1, story.diagnosis.stderr
    (found,) = story.diagnosis.document["diagnoses"]
    assert (found["node"], found["code"]) == (cluster.nodes[1].name, "pull-insecure-refused")
    assert "server gave HTTP response to HTTPS client" in found["said"]


def test_pods_that_wait_are_named_with_the_longest_time_that_kubelet_waits(story: Story) -> None:
    warning = find_warning(story.apply)
    assert f"{_NAMESPACE}/bare (" in warning["message"]
    assert f"{_NAMESPACE}/{story.owned} (" in warning["message"]
    assert "within 5 minutes" in warning["hint"]
    assert "--retry-pods" in warning["hint"]


def test_only_pods_that_a_controller_makes_again_are_deleted(story: Story, cluster: Cluster) -> None:
    assert story.retry.code == 0, story.retry.stderr
    assert f"deleted pod {_NAMESPACE}/{story.owned}" in story.retry.stderr
    warning = find_warning(story.retry)
    assert f"{_NAMESPACE}/bare (" in warning["message"]
    assert story.owned not in warning["message"]
    (again,) = [name for pod in story.after if (name := pod["metadata"]["name"]) not in {"bare", story.owned}]
    cluster.wait_pod(_NAMESPACE, again, "Running")

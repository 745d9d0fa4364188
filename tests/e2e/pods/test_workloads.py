"""Workloads of a real cluster: both forms of the registry's key, namespaces that come later, the console's annotation,
and a drain whose evictions a budget refuses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.site import PULLER
from tests.lab.cluster import is_ready
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster

pytestmark = pytest.mark.needs("cluster")

_SHOP, _LATER = "shop", "later"
_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  strategy: {{rollingUpdate: {{maxUnavailable: 1, maxSurge: 0}}}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: box
          image: {image}
          imagePullPolicy: Always
"""


@pytest.fixture(scope="module")
def settings(cluster: Cluster) -> Path:
    """The settings of a cluster whose nodes trust the registry, and whose namespace `shop` has the secret."""
    site = cluster.site
    site.registry.replace_logins(PULLER)
    cluster.create_namespace(_SHOP)
    path = site.settings(cluster.api, _SHOP)
    apply = site.agent("apply", "-i", site.lab.write_inventory(), "-c", path, "--yes", "-o", "json")
    assert apply.code == 0, apply.stderr
    return path


@pytest.mark.parametrize("form", ["kubesphere", "plain"])
def test_kubelet_pulls_with_either_form_of_the_key(settings: Path, cluster: Cluster, form: str) -> None:
    namespace = cluster.create_namespace(f"form-{form}")
    apply = cluster.site.agent("secret", "apply", "-c", settings, "-n", namespace, "--key-form", form, "--yes")
    assert apply.code == 0, apply.stderr
    for node in cluster.nodes:
        cluster.create_pod(namespace, node.name, node)
    for node in cluster.nodes:
        cluster.wait_pod(namespace, node.name, "Running")


def test_a_namespace_that_comes_later_is_drift_and_gets_the_secret_by_its_label(
    settings: Path, cluster: Cluster
) -> None:
    document = json.loads(settings.read_text())
    document["registries"][0]["secret"] |= {"namespaces": [], "namespace_selector": "registry=harbor"}
    by_label = settings.with_name("by-label.yaml")
    by_label.write_text(json.dumps(document))
    before = cluster.site.agent("secret", "apply", "-c", by_label, "--yes", "-o", "json")
    assert [one["code"] for one in before.document["secret"]["warnings"] if one["code"] == "namespaces-none-match"]
    cluster.create_namespace(_LATER, labels={"registry": "harbor"})
    inventory = cluster.site.lab.write_inventory()
    correct = cluster.site.agent("drift", "-i", inventory, "-c", by_label, "--correct", "--yes", "-o", "json")
    assert correct.code == 0, correct.stdout + correct.stderr
    (found,) = correct.document["secrets"]["secrets"]
    assert (found["namespace"], found["status"]) == (_LATER, "drift")
    node = cluster.nodes[0]
    cluster.create_pod(_LATER, "pod", node)
    cluster.wait_pod(_LATER, "pod", "Running")


def test_a_rolled_deployment_keeps_the_annotation_and_drains_as_its_budget_allows(
    settings: Path, cluster: Cluster
) -> None:
    site, api = cluster.site, cluster.api
    manifest = site.lab.folder / "web.yaml"
    manifest.write_text(_MANIFEST.format(image=site.image))
    annotate = site.agent("workloads", "annotate", "--secret", "harbor-pull", "--in-place", "--yes", manifest)
    assert annotate.code == 0, annotate.stderr
    path = f"/apis/apps/v1/namespaces/{_SHOP}/deployments"
    api.ask("POST", path, yaml.safe_load(manifest.read_text()))
    cluster.wait_rollout(_SHOP, "web")
    roll = {"spec": {"template": {"metadata": {"annotations": {"rolled": "yes"}}}}}
    api.ask("PATCH", f"{path}/web", roll, kind="application/strategic-merge-patch+json")
    cluster.wait_rollout(_SHOP, "web")
    pods = cluster.list_pods(_SHOP, "app%3Dweb")
    assert {pod["metadata"]["annotations"]["kubesphere.io/imagepullsecrets"] for pod in pods} == {
        '{"box":"harbor-pull"}'
    }
    assert site.agent("workloads", "scan", "-c", settings, "-n", _SHOP).code == 0
    _drain_against_a_budget(settings, cluster)


def _drain_against_a_budget(settings: Path, cluster: Cluster) -> None:
    """Remove the registry from node1 with a drain, which a budget holds until it is lowered."""
    site, api, node = cluster.site, cluster.api, cluster.nodes[0]
    cluster.delete_bare_pods(node)
    budgets = f"/apis/policy/v1beta1/namespaces/{_SHOP}/poddisruptionbudgets"
    selector = {"matchLabels": {"app": "web"}}
    api.ask("POST", budgets, {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": selector}})
    wait_until(
        lambda: api.ask("GET", f"{budgets}/web").get("status", {}).get("currentHealthy") == 2,
        "the budget counts",
        seconds=60,
    )
    on_node = [pod for pod in cluster.list_pods(_SHOP, "app%3Dweb") if pod["spec"]["nodeName"] == node.name]
    assert on_node, "the scheduler spreads two pods over two nodes"
    arguments = ("apply", "-i", site.lab.write_inventory(), "-c", settings, "--registry", site.registry.entry)
    argv = [
        str(Path(sys.executable).with_name("harbor-agent")),
        *map(str, (*arguments, "--absent", "--drain", "--limit", node.name, "--yes", "-o", "json")),
    ]
    running = subprocess.Popen(
        site.lab.network.inside(argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=site.lab.home,
        env={**os.environ, **site.lab.environment, "HARBOR_PASSWORD": PULLER.password},
    )

    def is_cordoned() -> bool:
        assert running.poll() is None, running.communicate()
        return bool(api.ask("GET", f"/api/v1/nodes/{node.name}")["spec"].get("unschedulable"))

    wait_until(is_cordoned, f"{node.name} is cordoned", seconds=60)
    held = {pod["metadata"]["name"] for pod in cluster.list_pods(_SHOP, "app%3Dweb")}
    assert {pod["metadata"]["name"] for pod in on_node} <= held
    api.ask("PATCH", f"{budgets}/web", {"spec": {"minAvailable": 1}}, kind="application/merge-patch+json")
    stdout, stderr = running.communicate(timeout=200)
    (result,) = json.loads(stdout)["nodes"]
    assert (result["outcome"], result["action"]) == ("changed", "restart"), stderr
    assert is_ready(api, node.name)
    assert not api.ask("GET", f"/api/v1/nodes/{node.name}")["spec"].get("unschedulable")
    cluster.wait_rollout(_SHOP, "web")
    assert {pod["spec"]["nodeName"] for pod in cluster.list_pods(_SHOP, "app%3Dweb")} == {cluster.nodes[1].name}

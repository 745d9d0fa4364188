"""containerd is restarted under a real kubelet: the node is Ready, and its pods keep running or run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import cri
from tests.lab.cluster import is_ready

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster
    from tests.e2e.site import Ended

pytestmark = pytest.mark.needs("cluster")

_NAMESPACE = "restarted"
_DROP_INS = "/etc/systemd/system/containerd.service.d"


def _run(cluster: Cluster, *arguments: str) -> Ended:
    site, node = cluster.site, cluster.nodes[1]
    settings = site.settings(cluster.api, _NAMESPACE)
    ended = site.agent(
        arguments[0], "-i", site.lab.write_inventory(), "-c", settings, "--limit", node.name, *arguments[1:]
    )
    assert ended.code == 0, ended.stdout + ended.stderr
    return ended


def _apply(cluster: Cluster, *options: str) -> dict[str, object]:
    node = cluster.nodes[1]
    result = _run(cluster, "apply", "--yes", "-o", "json", *options).node(node.name)
    last = node.run("ls -td /var/lib/harbor-agent/transactions/*/ | head -n 1").stdout.strip()
    facts = node.run(f"cat {last}health.before").stdout.split()
    assert facts == ["RuntimeReady", "NetworkReady", "kubelet"], "all of it was asked, and is as it was"
    assert is_ready(cluster.api, node.name)
    return result


def test_a_restart_of_containerd_under_kubelet(cluster: Cluster) -> None:
    node = cluster.nodes[1]
    cluster.create_namespace(_NAMESPACE)
    container = {"name": "box", "image": "lab.invalid/pause:1", "imagePullPolicy": "Never"}
    spec = {"nodeName": node.name, "terminationGracePeriodSeconds": 1, "containers": [container]}
    cluster.api.ask("POST", f"/api/v1/namespaces/{_NAMESPACE}/pods", {"metadata": {"name": "stays"}, "spec": spec})
    cluster.wait_pod(_NAMESPACE, "stays", "Running")
    before = cri.list_processes(node)

    result = _apply(cluster)
    assert (result["outcome"], result["action"]) == ("changed", "restart")
    assert "no longer running" not in str(result["reason"])
    assert cri.list_processes(node) == before
    _run(cluster, "rollback", "--pristine", "--yes")

    # Now a restart ends every process of a pod, and kubelet starts all of them again.
    node.run(f"mkdir {_DROP_INS}; printf '[Service]\\nKillMode=control-group\\n' >{_DROP_INS}/kill.conf")
    node.run("systemctl daemon-reload; rm -r /var/lib/harbor-agent/transactions/*")
    result = _apply(cluster, "--accept-restart")
    assert (result["outcome"], result["action"]) == ("changed", "restart")
    assert "no longer running" not in str(result["reason"])
    after = cri.list_processes(node)
    assert len(after) == len(before)
    assert not set(after) & set(before)
    cluster.wait_pod(_NAMESPACE, "stays", "Running")

    node.run(f"rm -r {_DROP_INS}; systemctl daemon-reload")
    _run(cluster, "rollback", "--pristine", "--yes")
    cluster.api.ask("DELETE", f"/api/v1/namespaces/{_NAMESPACE}")
    cluster.wait_end_of_namespace(_NAMESPACE)

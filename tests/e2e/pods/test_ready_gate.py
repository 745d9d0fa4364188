"""The gate behind a wave and a real kubelet: one that reports no more holds the rollout, one that is back does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster

pytestmark = pytest.mark.needs("cluster")

_ROOT = Path(__file__).parents[3]


def ask_gate(cluster: Cluster, name: str, seconds: int) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.e2e.pods.ready_gate", name, str(seconds), str(cluster.api.kubeconfig())]
    done = cluster.site.lab.run(argv, cwd=_ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_kubelet_that_does_not_report_after_a_restart_is_a_failure(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    node.run("systemctl stop kubelet")
    try:
        # The node is still Ready: the cluster takes 40 s to notice.
        silent = ask_gate(cluster, node.name, 3)
    finally:
        node.run("systemctl start kubelet")
    assert (silent["verified"], silent["code"]) == (False, "node-not-ready")
    assert silent["reason"].endswith("not Ready after 3 s: its kubelet does not report")
    assert ask_gate(cluster, node.name, 60) == {"verified": True, "code": None, "reason": ""}

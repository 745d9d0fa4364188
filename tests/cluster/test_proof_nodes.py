"""The list of nodes for a proof by pods: a request that fails once fails no wave, and a denied one is not repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.proof.nodes import list_nodes
from harbor_agent.errors import Problem
from harbor_agent.kubernetes.nodes import open_cluster_nodes
from tests.cluster import kubeconfigs
from tests.cluster.answering import Reply, answering

if TYPE_CHECKING:
    from pathlib import Path

_NODES = "/api/v1/nodes"
_FOUND = {"kind": "NodeList", "metadata": {}, "items": [{"metadata": {"name": "node1"}, "spec": {}, "status": {}}]}
_DENIAL = 'nodes is forbidden: User "me" cannot list resource "nodes" in API group "" at the cluster scope'


def ask(tmp_path: Path, *statuses: int, seconds: float = 20.0) -> tuple[list[str] | str, int]:
    """Return the names of the nodes or the code of the problem, and how many requests that took."""
    left = list(statuses)

    def answer(_method: str, _authorization: str | None) -> Reply:
        status = left.pop(0) if len(left) > 1 else left[0]
        words = _DENIAL if status == 403 else "etcdserver: leader changed"
        body = _FOUND if status == 200 else {"kind": "Status", "code": status, "message": words}
        return Reply(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode())

    with answering({_NODES: answer}) as server:
        cluster = {"server": f"http://127.0.0.1:{server.port}"}
        with open_cluster_nodes(kubeconfigs.write(tmp_path / "config", cluster, {"token": "any"}), None) as nodes:
            found = list_nodes(nodes, seconds)
        return found.code if isinstance(found, Problem) else [node.name for node in found], len(server.requests)


def test_a_request_that_fails_is_repeated(tmp_path: Path) -> None:
    assert ask(tmp_path, 500, 500, 200) == (["node1"], 3)


@pytest.mark.parametrize(("status", "code"), [(401, "cluster-unauthorized"), (403, "cluster-forbidden")])
def test_an_answer_that_denies_the_list_counts_at_once(tmp_path: Path, status: int, code: str) -> None:
    assert ask(tmp_path, status) == (code, 1)


def test_a_server_that_goes_on_failing_is_reported(tmp_path: Path) -> None:
    found, requests = ask(tmp_path, 500, seconds=0.5)
    assert found == "cluster-rejected"
    assert requests > 1

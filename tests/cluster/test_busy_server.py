"""A real API server at its limits: it answers 429, and everything is written all the same."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.sync import apply_secret
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.result import Outcome
from tests.cluster.pull_secrets import wanted
from tests.lab.apiserver import running_apiserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.apiserver import RunningApiServer

pytestmark = [pytest.mark.needs("apiserver"), pytest.mark.field("c07")]

# client-go gives up after 10 tries, one a second.
LOAD_SECONDS = 13
ONE_AT_A_TIME = (
    "--enable-priority-and-fairness=false", "--max-mutating-requests-inflight=1", "--max-requests-inflight=2",
)  # fmt: skip


@contextmanager
def load(server: RunningApiServer, namespace: str) -> Iterator[Counter[int]]:
    """Write config maps as fast as it is possible for a while; count the answers by status."""
    answers: Counter[int] = Counter()
    ended = threading.Event()
    headers = {"Authorization": f"Bearer {server.tokens['limited']}", "Content-Type": "application/json"}
    body = json.dumps({"metadata": {"generateName": "x-"}, "data": {"a": "x" * 20_000}})
    trusted = ssl.create_default_context(cadata=server.authority.decode())

    def write() -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusted)
        while not ended.is_set():
            connection.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body, headers)
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(6)]
    end = threading.Timer(LOAD_SECONDS, ended.set)
    for thread in (end, *writers):
        thread.start()
    try:
        yield answers
    finally:
        end.cancel()
        ended.set()
        for thread in writers:
            thread.join()


def test_a_burst_of_other_clients_fails_no_namespace(tmp_path: Path) -> None:
    with running_apiserver(tmp_path, *ONE_AT_A_TIME) as server:
        namespaces = [server.create_namespace(f"n{number}") for number in range(5)]
        for namespace in namespaces:
            server.grant(namespace, "secrets", ["get", "create", "patch"])
        server.grant(namespaces[0], "configmaps", ["create"])
        with load(server, namespaces[0]) as answers, open_cluster(str(server.kubeconfig("limited"))) as cluster:
            results = [apply_secret(cluster, wanted(), namespace) for namespace in namespaces]
        assert [(one.outcome, one.problem) for one in results] == [(Outcome.CHANGED, None)] * len(namespaces)
        assert answers[429] > 0

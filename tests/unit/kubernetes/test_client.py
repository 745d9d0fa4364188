"""A login or a proxy that cannot be used is said as such, and none of it is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from harbor_agent.errors import AgentError
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.kubernetes.eviction import Evictions
from harbor_agent.kubernetes.kubeconfig.client import open_client
from tests.cluster.answering import Reply, answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.errors import Problem
    from tests.cluster.answering import Answering

JSON = {"Content-Type": "application/json"}
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
CORE = {"resources": [{"name": "pods/eviction", "group": "policy", "version": "v1"}]}
# Documentation addresses (RFC 5737): nothing is there, so whoever answers is the proxy.
ELSEWHERE = "http://192.0.2.1:8001"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Answering]:
    review, core = Reply(headers=JSON, body=b'{"spec": {}}'), Reply(headers=JSON, body=json.dumps(CORE).encode())
    replies = {REVIEW: review, "/api/v1": core}
    with answering(replies | {ELSEWHERE + path: reply for path, reply in replies.items()}) as server:
        yield server


def kubeconfig(folder: Path, server: str, **user: object) -> str:
    document = {
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(document))
    return str(file)


def refusal(config: str) -> Problem:
    with pytest.raises(AgentError) as caught:
        open_cluster(config)
    assert "canary" not in str(caught.value.problem)
    return caught.value.problem


def paths(server: Answering) -> list[str]:
    return [path.partition("?")[0] for path, _ in server.requests]


def plugin(folder: Path, status: object) -> dict[str, object]:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\ncat <<'EOT'\n{json.dumps({'status': status})}\nEOT\n")
    program.chmod(0o700)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}


@pytest.mark.parametrize("end", [" ", "\n", "\r", " \r\n"])
def test_what_stands_behind_a_token_is_left_out(tmp_path: Path, server: Answering, end: str) -> None:
    open_cluster(kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", token=f"canary{end}")).close()
    assert [login for _, login in server.requests] == ["Bearer canary"]


@pytest.mark.parametrize("token", ["canary\nfirst", "canary\r"])
def test_a_token_that_no_header_can_carry_is_not_printed(tmp_path: Path, server: Answering, token: str) -> None:
    login = plugin(tmp_path, {"token": token})
    problem = refusal(kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", exec=login))
    assert (problem.code, "token contains" in problem.message) == ("kubeconfig-login-failed", True)


def test_a_plugin_that_gives_a_certificate_is_told_from_a_wrong_server(tmp_path: Path, server: Answering) -> None:
    login = plugin(tmp_path, {"clientCertificateData": "canary", "clientKeyData": "canary"})
    problem = refusal(kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", exec=login))
    assert (problem.code, "certificate or key that cannot be read" in problem.message) == (
        "kubeconfig-login-failed",
        True,
    )


@pytest.mark.parametrize(
    "proxies",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"HTTP_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "127.0.0.0/8"},
        {"HTTP_PROXY": "http://me:canary#1@127.0.0.1:9"},  # loopback goes past it
        {"HTTPS_PROXY": "http://me:canary#1@127.0.0.1:9"},
    ],
)
def test_a_proxy_that_is_not_for_the_cluster_is_in_nobodys_way(
    tmp_path: Path, server: Answering, monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str]
) -> None:
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    config = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", token="t")
    open_cluster(config).close()
    with open_client(config, None, timeout=10) as client:
        assert Evictions(client, timeout=10).discover() is None
    assert paths(server) == [REVIEW, "/api/v1"]


def test_every_request_goes_through_the_proxy_that_is(
    tmp_path: Path, server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    config = kubeconfig(tmp_path, ELSEWHERE, token="t")
    open_cluster(config).close()
    with open_client(config, None, timeout=10) as client:
        assert Evictions(client, timeout=10).discover() is None
    assert paths(server) == [ELSEWHERE + REVIEW, f"{ELSEWHERE}/api/v1"]


@pytest.mark.parametrize("proxy", ["http://me:canary#1@127.0.0.1:9", "socks4://me:canary@127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    problem = refusal(kubeconfig(tmp_path, ELSEWHERE, token="canary"))
    assert (problem.code, "proxy from the environment" in problem.message) == ("kubeconfig-invalid", True)
    assert "NO_PROXY" in problem.hint


def test_a_server_that_is_no_url(tmp_path: Path) -> None:
    problem = refusal(kubeconfig(tmp_path, "https://canary:x/", token="canary"))
    assert (problem.code, "not a URL" in problem.message) == ("kubeconfig-invalid", True)

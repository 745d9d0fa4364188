"""A token or proxy that cannot be used is reported as such, and none of it is printed."""

from __future__ import annotations

import re

import pytest

from harbor_agent.errors import Problem
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.http import Connection, HttpClient
from tests.cluster.answering import answering


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("token", ["canary\n", "canary\r\nX: y", "canäry"])
def test_a_token_that_no_header_can_carry_is_not_printed(token: str) -> None:
    with answering({}) as server:
        url = f"http://127.0.0.1:{server.port}/v2/"
        problem = HttpClient(Connection()).request("GET", url, authorization=Sensitive(f"Bearer {token}"))
    assert isinstance(problem, Problem)
    assert (problem.code, "an HTTP header cannot contain" in problem.message) == ("registry-unreachable", True)
    assert not re.search("canary|ä", str(problem))


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:canary#1@192.0.2.2",
        "http://me:canary/@192.0.2.2:3128",
        "http://me:54321#canary@192.0.2.2:3128",
        "me:54321?canary@192.0.2.2:3128",
    ],
)
def test_a_proxy_that_is_not_a_url_is_not_printed(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    problem = HttpClient(Connection()).request("GET", "http://192.0.2.1/v2/")
    assert isinstance(problem, Problem)
    assert (problem.code, "%23" in problem.hint) == ("registry-proxy-failed", True)
    assert not re.search("canary|54321", str(problem))

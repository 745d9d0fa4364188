"""What keeps a node from its registry: name, answer and proxy, one warning each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.state import Reachability
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.proxy import read_proxies
from harbor_agent.planning.network.reachability import find_reachability_problems
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    FRAGMENT,
    OPTIONS,
    PLAIN_UNIT,
    node,
    running,
    want,
    with_docker,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

PROXY = "http://proxy.lan:3128"


def obstacles(state: NodeState, wanted: DesiredState) -> list[Problem]:
    return find_reachability_problems(wanted.present, state.reachability, read_proxies(state, evaluate(state)))


def codes(state: NodeState, wanted: DesiredState) -> list[str]:
    return [problem.code for problem in obstacles(state, wanted)]


def with_environment(environment: Mapping[str, str]) -> NodeState:
    state = running(node({FRAGMENT: PLAIN_UNIT}), ("/usr/bin/dockerd",))
    return with_docker(state, environment=environment)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Reachability(entry="h.lan", resolved=(), http_status=0), ["name-not-resolved"]),
        (Reachability(entry="h.lan", http_status=0, detail="refused"), ["registry-not-answering"]),
        (Reachability(entry="h.lan", resolved=("10.0.0.1",), http_status=401), []),
        (Reachability(entry="h.lan", resolved=None, http_status=None), []),
        (Reachability(entry="other.lan", resolved=(), http_status=0), []),
    ],
)  # fmt: skip
def test_name_and_answer(seen: Reachability, expected: list[str]) -> None:
    assert codes(replace(node({FRAGMENT: PLAIN_UNIT}), reachability=(seen,)), want("h.lan")) == expected


@pytest.mark.parametrize(
    ("environment", "address", "proxied"),
    [
        ({"HTTP_PROXY": PROXY}, "192.168.0.99", True),
        ({"http_proxy": PROXY}, "192.168.0.99", True),
        ({"HTTPS_PROXY": PROXY}, "192.168.0.99", True),
        ({"HTTP_PROXY": PROXY}, "https://h.lan", False),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "192.168.0.0/16"}, "192.168.0.99", False),
        ({"HTTP_PROXY": PROXY, "no_proxy": "192.168.0.99"}, "192.168.0.99", False),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "localhost"}, "192.168.0.99", True),
        ({"HTTP_PROXY": PROXY}, "127.0.0.1:5000", False),
        ({}, "192.168.0.99", False),
    ],
)
def test_proxy_of_the_running_daemon(environment: dict[str, str], address: str, proxied: bool) -> None:  # noqa: FBT001
    assert codes(with_environment(environment), want(address)) == (["registry-behind-proxy"] if proxied else [])


def test_proxy_of_the_unit_where_no_daemon_runs() -> None:
    drop_in = f'[Service]\nEnvironment="HTTP_PROXY={PROXY}" "NO_PROXY=.lan"\n'
    state = node({FRAGMENT: PLAIN_UNIT, OPTIONS: drop_in})
    assert codes(state, want("192.168.0.99", "h.lan")) == ["registry-behind-proxy"]


def test_proxies_of_the_configuration_file_go_first() -> None:
    config = '{"proxies": {"http-proxy": "http://u:s3cret@p.lan", "no-proxy": "h.lan"}}'
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: config})
    (problem,) = obstacles(state, want("h.lan", "i.lan"))
    assert "i.lan" in problem.message
    assert "s3cret" not in problem.message
    assert problem.hint

"""Whatever a registry says of itself, it fills no terminal and ends no run."""

from __future__ import annotations

import json

import httpx2

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.answer import Answer
from harbor_agent.registry.problems import find_unhealthy
from harbor_agent.registry.validate import validate
from tests.cluster.answering import Reply, answering

LOGIN = Credentials(username="me", password=Sensitive("canary"))
# json gives up on it with RecursionError
NESTED = b"[" * 200_000


def said(status: str, *components: str) -> str:
    parts = [{"name": name, "status": "unhealthy"} for name in components]
    body = json.dumps({"status": status, "components": parts}).encode()
    problem = find_unhealthy(Address.parse("192.0.2.9"), Answer(status=200, headers=httpx2.Headers(), body=body))
    assert problem
    return problem.message


def test_the_containers_are_named() -> None:
    assert said("unhealthy", "core", "database").endswith("reports that it is unhealthy: core, database")


def test_endless_names_are_cut() -> None:
    assert len(said("x" * 100_000, *["y" * 100_000] * 3)) < 300
    assert len(said("unhealthy", *["core"] * 10_000)) < 300


def test_an_answer_nested_without_end_is_no_registrys() -> None:
    with answering({"/v2/": Reply(body=NESTED)}) as server:
        problem = validate(Address.parse(f"http://127.0.0.1:{server.port}"), LOGIN).problem
    assert problem
    assert problem.code == "registry-not-a-registry"


def test_a_token_nested_without_end_is_none() -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:{port}/token",service="x"'}
    replies = {"/v2/": Reply(status=401, headers=challenge), "/token": Reply(body=NESTED)}
    with answering(replies) as server:
        problem = validate(Address.parse(f"http://127.0.0.1:{server.port}"), LOGIN).problem
    assert problem
    assert problem.code == "registry-token-missing"


def test_health_nested_without_end_is_passed_over() -> None:
    answer = Answer(status=200, headers=httpx2.Headers(), body=NESTED)
    assert find_unhealthy(Address.parse("192.0.2.9"), answer) is None

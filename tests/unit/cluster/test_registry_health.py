"""Of what a registry says of its health, no more is told than fits into a sentence."""

from __future__ import annotations

import json

import httpx2

from agent.cluster.registry_problems import unhealthy
from agent.cluster.web import Answer
from agent.model.address import Address


def said(status: str, *components: str) -> str:
    parts = [{"name": name, "status": "unhealthy"} for name in components]
    body = json.dumps({"status": status, "components": parts}).encode()
    problem = unhealthy(Address.parse("192.0.2.9"), Answer(status=200, headers=httpx2.Headers(), body=body))
    assert problem
    return problem.message


def test_the_containers_are_named() -> None:
    assert said("unhealthy", "core", "database").endswith("says that it is unhealthy: core, database")


def test_endless_names_are_cut() -> None:
    assert len(said("x" * 100_000, *["y" * 100_000] * 3)) < 300
    assert len(said("unhealthy", *["core"] * 10_000)) < 300

"""What the API answers is told by the name of the thing, with what to do about it."""

from __future__ import annotations

import httpx2
import pytest
from lightkube import ApiError

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt


@pytest.mark.parametrize(
    ("code", "intent", "message"),
    [
        (
            404,
            Intent(verb="patch", resource="secrets", name="harbor-pull", namespace="demo"),
            "the cluster has no secret harbor-pull in namespace demo",
        ),
        (
            409,
            Intent(verb="patch", resource="serviceaccounts", name="default", namespace="demo"),
            "another client changed service account default in namespace demo at the same time",
        ),
        (
            409,
            Intent(verb="create", resource="pods/eviction", name="web"),
            "another client changed pod web at the same",
        ),
        (404, Intent(verb="list", resource="pods", namespace="demo"), "the cluster has no pods in namespace demo"),
    ],
)
def test_a_problem_names_the_thing_and_the_way_out(code: int, intent: Intent, message: str) -> None:
    def answer() -> None:
        status = {"kind": "Status", "status": "Failure", "code": code, "message": "said by the server"}
        raise ApiError(response=httpx2.Response(code, json=status))

    problem = attempt(intent, answer)

    assert isinstance(problem, Problem)
    assert problem.message.startswith(message)
    assert problem.hint

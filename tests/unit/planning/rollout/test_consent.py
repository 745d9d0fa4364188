"""A restart that takes containers away for good wants consent."""

from __future__ import annotations

import pytest

from harbor_agent.model.daemon import RunningContainer
from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.planning.rollout.consent import find_objection_to_restart


def container(policy: str, *, kubernetes: bool = False) -> RunningContainer:
    return RunningContainer(name="web", image="nginx", restart_policy=policy, kubernetes=kubernetes)


def plan(action: Action, *containers: RunningContainer) -> Plan:
    activation = Activation(runtime="docker", unit="docker.service", action=action, stops=containers)
    return Plan(node="n", activation=activation, reason="r")


@pytest.mark.parametrize("policy", ["no", "", "on-failure"])
def test_what_nobody_starts_again_is_named(policy: str) -> None:
    problem = find_objection_to_restart(plan(Action.RESTART, container(policy), container("always")))
    assert problem
    assert "web" in problem.message
    assert "--accept-restart" in problem.hint


@pytest.mark.parametrize(
    "harmless",
    [
        plan(Action.RESTART),
        plan(Action.RESTART, container("always"), container("unless-stopped")),
        plan(Action.RESTART, container("no", kubernetes=True)),
        plan(Action.RELOAD, container("no")),
    ],
)
def test_what_comes_back_needs_no_consent(harmless: Plan) -> None:
    assert find_objection_to_restart(harmless) is None

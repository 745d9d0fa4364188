"""A shard starts only after a canary that proves something about it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harbor_agent.engine.plan.run_plan import RunPlan
from harbor_agent.engine.reports.canary import find_objection_to_canary, require_canary
from harbor_agent.engine.reports.file import RegistryState, ReportedNode, RunFile
from harbor_agent.engine.request.request import NodeSelection, RunRequest
from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.inventory import Node, Shard
from harbor_agent.model.policy import Policy, Registry
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.planning.rollout.shards import describe_scope

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NODES = [Node(name=name, address=name) for name in ("a", "b", "c")]
SCOPE = describe_scope(NODES, NODES, Shard(index=2, count=3))
REGISTRY = Registry(address=Address.parse("192.168.0.99"))
SHARD = NodeSelection(shard=Shard(index=2, count=3))
PLAN = RunPlan(request=RunRequest(selection=SHARD), general=Policy(registries=(REGISTRY,)), nodes=(), scope=SCOPE)
CANARY = RunFile(
    tool="harbor-agent 0",
    run_id="run-0",
    kind="apply",
    ended=(NOW - timedelta(hours=1)).isoformat(),
    exit_code=0,
    note="",
    registries=(RegistryState(url="http://192.168.0.99", state="present"),),
    inventory=SCOPE.inventory,
    fleet=None,
    shard=None,
    after=None,
    nodes=(ReportedNode(node="a", outcome=Outcome.CHANGED),),
    halted=None,
    secret=None,
    dns=None,
    warnings=(),
)


def test_a_canary_that_went_well_is_enough() -> None:
    assert find_objection_to_canary(CANARY, PLAN, NOW) is None


@pytest.mark.parametrize(
    ("kind", "canary", "target", "reason"),
    [
        # The shards of one rollout are runs of their own.
        ("rollback", "run-7", "run-8", None),
        ("rollback", "pristine", "pristine", None),
        ("rollback", "pristine", "run-8", "run run-0 is a rollback of pristine, not of run-8"),
        ("rollback", "run-7", "pristine", "run run-0 is a rollback of run-7, not of pristine"),
        ("apply", None, "run-8", "run run-0 is not a rollback, but apply"),
    ],
)
def test_a_rollback_has_a_rollback_as_its_canary(kind: str, canary: str, target: str, reason: str | None) -> None:
    plan = replace(PLAN, general=Policy(registries=()), kind=RunKind.ROLLBACK, rolls_back=target)
    file = replace(CANARY, kind=kind, rolls_back=canary, registries=())
    assert find_objection_to_canary(file, plan, NOW) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "verify"}, "run run-0 is not an apply, but verify"),
        ({"shard": Shard(index=1, count=3)}, "run run-0 is itself a shard, 1/3"),
        ({"exit_code": 1}, "run run-0 ended with exit code 1"),
        ({"exit_code": 7, "halted": "1 failed"}, "ended with exit code 7, and it halted: 1 failed"),
        ({"nodes": ()}, "run run-0 has no node that was changed or found unchanged"),
        ({"nodes": (ReportedNode(node="a", outcome=Outcome.SKIPPED),)}, "has no node"),
        ({"inventory": describe_scope(NODES[:2], NODES, None).inventory}, "another inventory"),
        ({"inventory": None}, "another inventory"),
        ({"registries": ()}, r"was not about http://192.168.0.99 \(present\)"),
        ({"registries": (RegistryState(url="http://192.168.0.99", state="absent"),)}, r"\(present\)"),
        ({"ended": (NOW - timedelta(hours=30)).isoformat()}, "it ended 30 hours ago, and counts for 24"),
        ({"ended": (NOW + timedelta(days=3)).isoformat()}, "it ended in the future"),
        ({"ended": "yesterday"}, "'yesterday' is not the time of its end"),
        ({"ended": "2026-11-30T12:00:00"}, "is not the time of its end"),
    ],
)
def test_a_canary_that_proves_nothing_is_refused(change: dict[str, object], reason: str) -> None:
    found = find_objection_to_canary(replace(CANARY, **change), PLAN, NOW)  # type: ignore[arg-type]  # of each field's type
    assert found
    assert re.search(reason, found)


def test_a_shard_needs_a_canary() -> None:
    with pytest.raises(UsageError, match="shard 2/3 needs the result of a canary"):
        require_canary(PLAN, None)
    whole = replace(PLAN, request=RunRequest(), scope=describe_scope(NODES, NODES, None))
    assert require_canary(whole, None) is whole
    resumed = replace(PLAN, resumes="run-9")
    assert require_canary(resumed, None) is resumed

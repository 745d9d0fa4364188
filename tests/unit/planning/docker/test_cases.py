"""Every node state under tests/cases: the plan, the bytes, doing it twice, and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    HARBOR,
    TEMPLATES,
    applied,
    offline,
    read_tree,
    running,
    shown,
    unwant,
    want,
)

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

CASES = Path(__file__).resolve().parents[3] / "cases/docker"


@dataclass(frozen=True)
class Case:
    name: str
    tree: NodeState
    live: NodeState
    registries: tuple[str, ...]
    repair: bool
    route: RouteChoice
    expect: dict[str, object]
    after: dict[str, bytes | None]

    def plan(self, state: NodeState, *, repair: bool | None = None) -> Plan | Refusal:
        allowed = self.repair if repair is None else repair
        return plan_node("node-1", state, want(*self.registries, repair=allowed, route=self.route), TEMPLATES)


def load(folder: Path) -> Case:
    facts = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    tree = offline(read_tree(folder / "root", facts.get("links")), facts.get("version", "20.10.24"))
    runs = "running" in facts
    live = running(tree, tuple(facts["running"]), tuple(facts["trusts"])) if runs else tree
    return Case(
        name=folder.name,
        tree=tree,
        live=live,
        registries=tuple(facts.get("registries", [HARBOR])),
        repair=facts.get("repair", False),
        route=RouteChoice(facts.get("route", "auto")),
        expect=facts["expect"],
        after={path: file.content for path, file in read_tree(folder / "expected").items()},
    )


LEAST_CASES = 50
ALL = [load(path.parent) for path in sorted(CASES.glob("*/case.yaml"))]
REFUSED = [case for case in ALL if "refusal" in case.expect]
PLANNED = [case for case in ALL if "refusal" not in case.expect]
CHANGED = [case for case in PLANNED if case.after]


def test_every_case_is_found() -> None:
    assert len(ALL) >= LEAST_CASES


def by_name(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def planned(case: Case, state: NodeState) -> Plan:
    plan = case.plan(state)
    assert isinstance(plan, Plan), plan.problem
    return plan


@by_name(PLANNED)
def test_action_route_and_arguments_are_those_wanted(case: Case) -> None:
    plan = planned(case, case.live)
    assert plan.activation.action.value == case.expect["action"]
    assert plan.route.value == case.expect["route"]
    assert list(plan.activation.arguments) == case.expect["argv"]
    assert sorted({warning.code for warning in plan.warnings}) == case.expect.get("warnings", [])
    assert plan.reason


@by_name(PLANNED)
def test_files_change_to_the_byte_and_none_besides(case: Case) -> None:
    for state in (case.live, case.tree):
        assert {change.path: change.after.content for change in planned(case, state).changes} == case.after


@by_name(PLANNED)
def test_a_second_plan_is_empty(case: Case) -> None:
    for state in (case.live, case.tree):
        after = applied(state, planned(case, state))
        again = case.plan(after, repair=False)
        assert isinstance(again, Plan), again.problem
        assert again.is_empty


@by_name([case for case in CHANGED if case.expect.get("undo", True)])
def test_taking_the_entry_out_leads_back_to_the_same_bytes(case: Case) -> None:
    after = applied(case.tree, planned(case, case.tree))
    undo = plan_node("node-1", after, unwant(*case.registries), TEMPLATES)
    assert isinstance(undo, Plan), undo.problem
    assert shown(applied(after, undo).files) == shown(case.tree.files)


@by_name(CHANGED)
def test_taking_the_entry_out_of_a_running_daemon_revokes_it(case: Case) -> None:
    after = applied(case.live, planned(case, case.live))
    undo = plan_node("node-1", after, unwant(*case.registries), TEMPLATES)
    assert isinstance(undo, Plan), undo.problem
    assert undo.activation.action.value in ("reload", "restart")
    assert set(undo.activation.unexpected) == set(case.registries)
    assert not {f"--insecure-registry={registry}" for registry in case.registries} & set(undo.activation.arguments)


@by_name([case for case in PLANNED if case.repair])
def test_without_consent_a_repair_is_refused_and_shown(case: Case) -> None:
    refusal = case.plan(case.live, repair=False)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "needs-repair"
    assert {change.path: change.after.content for change in refusal.changes} == case.after


@by_name(REFUSED)
def test_is_refused_with_the_reason_and_the_way_out(case: Case) -> None:
    for state in (case.live, case.tree):
        refusal = case.plan(state)
        assert isinstance(refusal, Refusal)
        assert refusal.problem.code == case.expect["refusal"]
        assert refusal.problem.hint
        assert not refusal.changes

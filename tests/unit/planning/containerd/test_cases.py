"""Every node state under tests/cases/containerd: the plan, the bytes, doing it twice, and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.planning.refusal import RefusedError
from tests.unit.planning.containerd.nodes import (
    HARBOR,
    applied,
    decide,
    planned,
    read_tree,
    refused,
    running,
    shown,
    unwant,
    want,
)

if TYPE_CHECKING:
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

CASES = Path(__file__).resolve().parents[3] / "cases/containerd"
LEAST_CASES = 35


@dataclass(frozen=True)
class Case:
    name: str
    folder: Path
    facts: dict[str, Any]
    expect: dict[str, Any]

    @property
    def tree(self) -> NodeState:
        return read_tree(self.folder / "root", str(self.facts["version"]))

    @property
    def states(self) -> list[NodeState]:
        """The node as a file system tree, and with a daemon that has read these files."""
        tree = self.tree
        try:
            return [tree, running(tree)]
        except RefusedError:
            return [tree]

    @property
    def registries(self) -> list[str]:
        return list(self.facts.get("registries", [HARBOR]))

    def want(self) -> DesiredState:
        return want(*self.registries, repair=bool(self.facts.get("repair")))


def load(folder: Path) -> Case:
    facts = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    return Case(name=folder.name, folder=folder, facts=facts, expect=facts["expect"])


ALL = [load(path.parent) for path in sorted(CASES.glob("*/case.yaml"))]
REFUSED = [case for case in ALL if "refusal" in case.expect]
PLANNED = [case for case in ALL if "refusal" not in case.expect]


def by_name(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def test_every_case_is_found() -> None:
    assert len(ALL) >= LEAST_CASES


@by_name(REFUSED)
def test_refused_with_the_reason(case: Case) -> None:
    for state in case.states:
        refusal = refused(state, case.want())
        assert refusal.problem.code == case.expect["refusal"]
        assert refusal.problem.hint


@by_name(PLANNED)
def test_files_change_as_expected_and_no_others(case: Case) -> None:
    for state in case.states:
        plan = planned(state, case.want())
        assert plan.route.value == case.expect["route"]
        assert plan.activation.action.value == case.expect["action"]
        # of a running daemon it is said too that it goes on without CRI
        warnings = {one.code for one in plan.warnings} - {"cri-not-loaded"}
        assert sorted(warnings) == case.expect.get("warnings", [])
        expected = {
            f"/{path.relative_to(case.folder / 'expected')}": path.read_bytes()
            for path in (case.folder / "expected").rglob("*")
            if path.is_file()
        }
        assert {change.path: change.after.content for change in plan.changes} == expected
        assert plan.activation.expected == tuple(case.registries)
        live = "" if state.offline else case.expect.get("kill_mode", "")
        assert plan.activation.kill_mode == live
        assert bool(plan.activation.stops) is bool(live)


@by_name([case for case in ALL if case.facts.get("repair")])
def test_a_repair_needs_consent_and_is_shown(case: Case) -> None:
    for state in case.states:
        refusal = refused(state, want(*case.registries))
        assert refusal.problem.code == case.facts["without_repair"]
        assert {change.path for change in refusal.changes} == {c.path for c in planned(state, case.want()).changes}


@by_name(PLANNED)
def test_a_second_time_changes_nothing(case: Case) -> None:
    for state in case.states:
        again = planned(applied(state, planned(state, case.want())), case.want())
        assert again.is_empty
        assert again.reason == f"{', '.join(case.registries)} is already trusted"


@by_name([case for case in PLANNED if case.expect.get("undo", True)])
def test_removal_leads_back_to_the_same_bytes(case: Case) -> None:
    for state in case.states:
        after = applied(state, planned(state, case.want()))
        undo = planned(after, unwant(*case.registries))
        assert shown(applied(after, undo)) == shown(state)
        assert undo.activation.unexpected == tuple(case.registries)


@by_name([case for case in PLANNED if not case.expect.get("undo", True)])
def test_what_is_not_undone_is_no_longer_trusted(case: Case) -> None:
    for state in case.states:
        after = applied(state, planned(state, case.want()))
        gone = applied(after, planned(after, unwant(*case.registries)))
        again = decide(gone, want(*case.registries))
        assert isinstance(again, Refusal) or not again.is_empty
        left = decide(gone, unwant(*case.registries))
        assert isinstance(left, Plan)
        assert left.is_empty


@by_name(ALL)
def test_no_password_is_shown(case: Case) -> None:
    for state in case.states:
        assert "s3cret" not in repr(decide(state, case.want()))

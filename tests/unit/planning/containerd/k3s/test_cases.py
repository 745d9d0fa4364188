"""Every file tree under tests/cases/k3s: the plan, the bytes, doing it twice, and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent.local.tree import Tree
from harbor_agent.model.plan import Refusal
from tests.unit.planning.containerd.k3s.nodes import RUNTIMES, applied, shown
from tests.unit.planning.decisions import HARBOR, decide, planned, refused, unwant, want

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

CASES = Path(__file__).resolve().parents[4] / "cases/k3s"
LEAST_CASES = 32


@dataclass(frozen=True)
class Case:
    name: str
    folder: Path
    facts: dict[str, Any]

    @property
    def expect(self) -> dict[str, Any]:
        return dict(self.facts["expect"])

    @property
    def tree(self) -> NodeState:
        root = Tree(str(self.folder / "root"))
        return RUNTIMES[self.facts["runtime"]].observe_tree(root, str(self.facts["version"]))


ALL = [
    Case(path.parent.name, path.parent, yaml.safe_load(path.read_text(encoding="utf-8")))
    for path in sorted(CASES.glob("*/case.yaml"))
]
REFUSED = [case for case in ALL if "refusal" in case.expect]
PLANNED = [case for case in ALL if "refusal" not in case.expect]
CHANGED = [case for case in PLANNED if not case.expect.get("trusted")]


def by_name(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def test_every_case_is_found() -> None:
    assert len(ALL) >= LEAST_CASES


@by_name(REFUSED)
def test_refused_with_the_reason_and_its_place(case: Case) -> None:
    problem = refused(case.tree).problem
    assert problem.code == case.expect["refusal"]
    assert case.expect["says"] in problem.message
    assert problem.hint


@by_name(PLANNED)
def test_files_change_as_expected_and_no_others(case: Case) -> None:
    plan = planned(case.tree)
    assert plan.activation.action.value == case.expect["action"]
    assert plan.activation.unit == case.expect.get("unit", plan.activation.unit)
    assert sorted(warning.code for warning in plan.warnings) == case.expect.get("warnings", [])
    assert case.expect.get("says", "") in "".join(warning.message for warning in plan.warnings)
    expected = {
        f"/{path.relative_to(case.folder / 'expected')}": path.read_bytes()
        for path in (case.folder / "expected").rglob("*")
        if path.is_file()
    }
    assert {change.path: change.after.content for change in plan.changes} == expected
    assert plan.route.value == ("registries-yaml" if expected else "none")
    assert plan.activation.expected == (HARBOR,)


@by_name(PLANNED)
def test_a_second_time_changes_nothing(case: Case) -> None:
    again = planned(applied(case.tree, planned(case.tree)))
    assert again.is_empty
    assert again.reason == f"{HARBOR} is already trusted"


@by_name(CHANGED)
def test_removal_leads_back_to_the_same_bytes(case: Case) -> None:
    after = applied(case.tree, planned(case.tree))
    undone = applied(after, planned(after, unwant(HARBOR)))
    assert shown(undone) == shown(case.tree)
    assert planned(undone, unwant(HARBOR)).is_empty


@by_name(CHANGED)
def test_one_of_two_registries_is_removed_and_the_other_stays(case: Case) -> None:
    both = applied(case.tree, planned(case.tree, want(HARBOR, "h.lan:5000")))
    one = applied(both, planned(both, unwant("h.lan:5000")))
    assert shown(one) == shown(applied(case.tree, planned(case.tree)))


@by_name(ALL)
def test_no_password_is_shown(case: Case) -> None:
    decision = decide(case.tree)
    words = decision.problem if isinstance(decision, Refusal) else decision.reason
    assert "s3cret" not in repr((words, decision.warnings))


def test_what_is_for_all_registries_is_not_removed() -> None:
    case = next(case for case in ALL if case.name == "wildcard-trusts-it")
    problem = refused(case.tree, unwant(HARBOR)).problem
    assert problem.code == "removal-unclear"
    assert "registries.yaml" in problem.message


def test_a_restart_of_a_server_is_said_to_be_one_of_the_api_server() -> None:
    case = next(case for case in ALL if case.name == "comments-only")
    assert "API server" in planned(case.tree).reason
    agent = next(case for case in ALL if case.name == "agent-without-files")
    assert "API server" not in planned(agent.tree).reason

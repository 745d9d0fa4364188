"""Which drifted nodes are corrected: those whose settings a person applied, and only a few at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.correct import choose_corrections, correct_nodes
from harbor_agent.engine.drift.corrections import CorrectionLog
from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.drift.exit_code import compute_correction_exit_code
from harbor_agent.engine.history.database import find_history_file
from harbor_agent.engine.history.lock import hold_lock
from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.engine.reports.report import Report
from harbor_agent.engine.request.request import NodeSelection, RunRequest
from harbor_agent.engine.rollout.records import build_apply_record
from harbor_agent.engine.rollout.stop import StopRequest
from harbor_agent.errors import ExitCode, LockedError, UsageError
from harbor_agent.model.daemon import RunningContainer
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.policy import DriftLimits, Policy, Registry
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.state import FileState, Reachability
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import classify
from harbor_agent.views.json.drift import build_drift_document
from harbor_agent.views.text.drift import drift_text
from tests.unit.planning.docker.nodes import (
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    applied,
    node,
    running,
    want,
    with_docker,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.engine.events import Event

ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
POLICY = Policy(registries=(Registry(address=want(HARBOR).present[0]),))
LIMITS = DriftLimits()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def drifted(name: str = "node1", policy: Policy = POLICY, restart_policy: str = "always") -> DriftedNode:
    """A node whose drop-in somebody removed after a run, and restarted Docker."""
    machine = Node(name=name, address="203.0.113.1")
    before = running(node({FRAGMENT: DEBIAN_UNIT}), ARGV)
    plan = plan_state(machine, POLICY, before, RunRequest()).decision
    assert isinstance(plan, Plan)
    record = build_apply_record(plan, POLICY, before, "run-1", "")
    left = applied(before, plan)
    now = running(
        replace(left, records={"docker": record}, files={**left.files, OPTIONS: FileState(path=OPTIONS)}), ARGV
    )
    container = RunningContainer(name="db", image="i", restart_policy=restart_policy)
    now = with_docker(now, containers=(container,))
    drift = classify(now, policy_digest(policy))
    planned = plan_state(machine, policy, now, RunRequest())
    return DriftedNode(planned=planned, status=drift.status, reason=drift.reason, drift=drift)


def with_reachability(found: DriftedNode, *seen: Reachability) -> DriftedNode:
    state = found.planned.state
    assert state is not None
    return replace(found, planned=replace(found.planned, state=replace(state, reachability=seen)))


def report(*nodes: DriftedNode, policy: Policy = POLICY) -> DriftReport:
    return DriftReport(request=RunRequest(selection=NodeSelection(sources=("node1,",))), general=policy, nodes=nodes)


def codes(chosen: object) -> list[str | None]:
    return [one.problem.code if one.problem else None for one in chosen.report.nodes]  # type: ignore[attr-defined]


def test_an_applied_setting_is_corrected() -> None:
    corrections = choose_corrections(report(drifted()), LIMITS, accept_restart=False)
    assert [one.name for one in corrections.chosen] == ["node1"]
    assert codes(corrections) == [None]


def test_other_settings_are_not_applied() -> None:
    other = Policy(registries=(Registry(address=want("other.lan").present[0]),))
    corrections = choose_corrections(report(drifted(policy=other), policy=other), LIMITS, accept_restart=True)
    assert (corrections.chosen, codes(corrections)) == ((), ["drift-not-approved"])
    assert compute_correction_exit_code(corrections, None) == 3


def test_a_run_corrects_only_a_few_nodes() -> None:
    nodes = [drifted(f"node{number}") for number in range(1, 5)]
    corrections = choose_corrections(report(*nodes), DriftLimits(max_nodes=2, max_drifted=9), accept_restart=False)
    assert [one.name for one in corrections.chosen] == ["node1", "node2"]
    assert codes(corrections) == [None, None, "drift-left-over", "drift-left-over"]


def test_containers_that_nothing_starts_again_need_consent() -> None:
    corrections = choose_corrections(report(drifted(restart_policy="no")), LIMITS, accept_restart=False)
    assert (corrections.chosen, codes(corrections)) == ((), ["containers-would-stop"])
    assert compute_correction_exit_code(corrections, None) == 5
    assert choose_corrections(report(drifted(restart_policy="no")), LIMITS, accept_restart=True).chosen


def test_without_a_history_nothing_is_corrected() -> None:
    find_history_file().mkdir(parents=True)
    corrections = choose_corrections(report(drifted()), LIMITS, accept_restart=False)
    assert corrections.blocked_by is not None
    assert (corrections.chosen, corrections.blocked_by.code) == ((), "drift-without-history")
    assert compute_correction_exit_code(corrections, None) == 7


def test_nothing_is_corrected_by_a_restart_for_a_registry_that_no_node_reaches() -> None:
    down, up = (Reachability(entry=HARBOR, http_status=status, detail="Connection refused") for status in (0, 401))
    for reached in ([down, down], [down, up]):
        nodes = [with_reachability(drifted(f"node{number}"), seen) for number, seen in enumerate(reached)]
        corrections = choose_corrections(report(*nodes), DriftLimits(max_nodes=1), accept_restart=False)
        assert len(corrections.chosen) == reached.count(up)
    blocked = report(with_reachability(drifted(), down))
    corrections = choose_corrections(blocked, LIMITS, accept_restart=False)
    assert corrections.blocked_by is not None
    assert (corrections.chosen, corrections.blocked_by.code) == ((), "registry-not-reached")
    assert compute_correction_exit_code(corrections, None) == 7
    assert choose_corrections(blocked, LIMITS, accept_restart=False, allow_unreachable_registry=True).chosen


def test_without_a_registry_nothing_can_be_corrected() -> None:
    nothing = Policy(registries=())
    with pytest.raises(UsageError, match="no registry is named"):
        choose_corrections(report(drifted(policy=nothing), policy=nothing), LIMITS, accept_restart=False)


def test_of_two_runs_at_once_the_second_corrects_and_records_nothing() -> None:
    corrections = choose_corrections(report(drifted()), LIMITS, accept_restart=False)
    with hold_lock("by the other timer", "node1,"), pytest.raises(LockedError, match="another run holds the lock"):
        correct_nodes(corrections, lambda _: None, StopRequest())
    with CorrectionLog() as memory:
        assert memory.list_corrections("node1", "203.0.113.1:22") == []


def test_a_history_that_breaks_during_a_correction_costs_no_report() -> None:
    found = drifted()
    nowhere = replace(found.planned.node, address="127.0.0.1", port=1)
    found = replace(found, planned=replace(found.planned, node=nowhere))
    corrections = choose_corrections(report(found), LIMITS, accept_restart=False)

    def break_it(_: Event) -> None:
        with closing(sqlite3.connect(find_history_file())) as connection:
            connection.execute("DROP TABLE IF EXISTS correction")
            connection.commit()

    ended = correct_nodes(corrections, break_it, StopRequest())
    assert [(result.node, result.outcome) for result in ended.results] == [("node1", Outcome.UNREACHABLE)]
    assert "history-unusable" in [warning.code for warning in ended.warnings]


def test_the_text_names_files_and_ends_with_a_summary() -> None:
    chosen = choose_corrections(report(drifted(), drifted("node2", restart_policy="no")), LIMITS, accept_restart=False)
    lines = drift_text(chosen.report, None, chosen.blocked_by).splitlines()
    assert any(OPTIONS in line and "-> absent" in line for line in lines)
    assert sum("containers-would-stop" in line for line in lines) == 1
    assert lines[-1] == "Drift: 2 drifted (2 in files, 2 at runtime)"


def test_last_line_and_summary_after_a_correction_count_what_is_left() -> None:
    chosen = choose_corrections(report(drifted(), drifted("node2", restart_policy="no")), LIMITS, accept_restart=False)
    result = NodeResult(node="node1", outcome=Outcome.CHANGED)
    ended = Report(run_id="run-2", results=(result,), secrets=None, halted=None, exit_code=ExitCode.DONE)
    lines = drift_text(chosen.report, ended, chosen.blocked_by).splitlines()
    assert lines[-1] == "Drift: 1 corrected, 1 drifted (1 in files, 1 at runtime)"
    document = build_drift_document(chosen.report, 5, ended, chosen.blocked_by)
    assert {status: count for status, count in document["summary"].items() if count} == {"in_sync": 1, "drift": 1}  # type: ignore[attr-defined]
    assert [node["status"] for node in document["nodes"]] == ["drift", "drift"]  # type: ignore[attr-defined]

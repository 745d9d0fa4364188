"""What a report says of each node, DNS server and secret, before it has a format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.plan.run_plan import RunPlan
from harbor_agent.engine.reports.report import VERIFY, Report
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action, Activation, FileChange, Plan, Refusal, Route
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome, Proof, Step, StepTime
from harbor_agent.model.secret import KeyChange, KeyChangeKind, SecretAction, SecretPlan, ServiceAccountResult
from harbor_agent.model.state import FileState
from harbor_agent.planning.drift import DriftStatus, FileDrift, NodeDrift
from harbor_agent.views.outline.drift import outline_drift
from harbor_agent.views.outline.plan import outline_plan
from harbor_agent.views.outline.run import outline_run
from harbor_agent.views.outline.value import Kind, Verdict
from harbor_agent.views.outline.words import list_warnings, title_group

if TYPE_CHECKING:
    from harbor_agent.views.outline.value import Item, Outline

PATH = "/etc/docker/daemon.json"
POLICY = Policy(registries=())
PROBLEM = Problem(code="containers-would-stop", message="web would stop", hint="add --accept-restart")
CHANGE = FileChange(
    before=FileState(path=PATH),
    after=FileState(path=PATH, kind="regular", content=b'{"x": "token=Cha0tic"}\n', mode=0o644, uid=0, gid=0),
    reason="dockerd reads it",
)
ACTIVATION = Activation(runtime="docker", unit="docker.service", action=Action.RESTART)


def planned(name: str, **rest: object) -> PlannedNode:
    plan = Plan(node=name, activation=ACTIVATION, changes=(CHANGE,), route=Route.DAEMON_JSON, reason="h.lan is missing")
    node = Node(name=name, address=name)
    whole = PlannedNode(
        node=node, policy=POLICY, outcome=Outcome.PENDING, decision=plan, reason=plan.reason, seconds=1.5
    )
    return replace(whole, **rest)  # type: ignore[arg-type]


def run_plan(*nodes: PlannedNode, **rest: object) -> RunPlan:
    return RunPlan(request=RunRequest(note="window 7"), general=POLICY, nodes=nodes, **rest)  # type: ignore[arg-type]


def report(*results: NodeResult, **rest: object) -> Report:
    whole = Report(run_id="run-1", results=results, secrets=None, halted=None, exit_code=ExitCode.DONE)
    return replace(whole, **rest)  # type: ignore[arg-type]


def find(outline: Outline, name: str) -> Item:
    (item,) = [item for item in outline.items if item.name == name]
    return item


def test_a_planned_node_has_its_change_its_reason_and_its_diff() -> None:
    outline = outline_plan(run_plan(planned("node1")), ExitCode.PENDING, counts_pending=True)
    item = find(outline, "node1")
    assert outline.summary == "Plan: 1 to change (1 restart)"
    assert outline.facts == (("note", "window 7"),)
    assert (item.verdict, item.title, item.reason) == (Verdict.PENDING, ("daemon-json", "restart"), "h.lan is missing")
    assert f"+++ {PATH}" in item.diff
    assert "Cha0tic" not in item.diff
    assert item.timings == (("plan", 1.5),)


def test_the_change_of_a_refused_node_is_called_hypothetical() -> None:
    refusal = Refusal(node="node1", runtime="docker", problem=PROBLEM, changes=(CHANGE,))
    node = planned("node1", outcome=Outcome.REFUSED, decision=refusal, problem=PROBLEM, reason=PROBLEM.message)
    item = find(outline_plan(run_plan(node), ExitCode.REFUSED, counts_pending=False), "node1")
    assert (item.verdict, item.reason, item.problem) == (Verdict.FAILURE, "", PROBLEM)
    assert item.remarks == ("the diff shows the change as it would be",)


def test_nodes_that_say_the_same_are_one_group_and_the_worst_come_first() -> None:
    silent = Problem(code="ssh-timeout", message="{}: no answer", hint="check it")
    dead = [
        planned(name, outcome=Outcome.UNREACHABLE, decision=None, problem=replace(silent, message=f"{name}: no answer"))
        for name in ("node7", "node8")
    ]
    objected = planned("node9", objection=PROBLEM)
    outline = outline_plan(
        run_plan(planned("node1"), objected, planned("node2"), *dead), ExitCode.UNREACHABLE, counts_pending=False
    )
    assert [(title_group(group), [item.name for item in group]) for group in outline.groups] == [
        ("2 nodes: unreachable", ["node7", "node8"]),
        ("1 node: change, daemon-json, restart", ["node9"]),
        ("2 nodes: change, daemon-json, restart", ["node1", "node2"]),
    ]


def test_a_warning_of_one_node_parts_no_group() -> None:
    warned = planned("node2")
    assert isinstance(warned.decision, Plan)
    warned = replace(warned, decision=replace(warned.decision, warnings=(PROBLEM,)))
    outline = outline_plan(run_plan(planned("node1"), warned), ExitCode.DONE, counts_pending=False)
    (group,) = outline.groups
    assert list_warnings(group) == [("node2", PROBLEM)]


def test_a_run_has_the_diffs_of_its_plan_and_says_what_was_proven() -> None:
    result = NodeResult(
        node="node1", outcome=Outcome.CHANGED, action=Action.RESTART, verified=True, proof=Proof.PULL, seconds=9.0
    )
    outline = outline_run(report(result), [planned("node1")])
    item = find(outline, "node1")
    assert outline.summary == "Done: 1 changed, 1 verified by a pull"
    assert (item.verdict, item.title) == (Verdict.FINE, ("restart", "verified by a pull"))
    assert PATH in item.diff
    assert item.timings == (("plan", 1.5), ("change and verify", 9.0))
    steps = (StepTime(step=Step.RESTART, seconds=8.0), StepTime(step=Step.PULL, seconds=0.5))
    timed = outline_run(report(replace(result, steps=steps)), [planned("node1")])
    assert find(timed, "node1").timings == (("plan", 1.5), ("restart", 8.0), ("pull", 0.5))


def test_a_check_shows_no_change() -> None:
    checked = report(NodeResult(node="node1", outcome=Outcome.FAILED, problem=PROBLEM, seconds=1.0), kind=VERIFY)
    item = find(outline_run(checked, [planned("node1")]), "node1")
    assert (item.diff, item.timings[-1][0]) == ("", "verify")


def test_a_change_whose_pull_failed_is_a_failure() -> None:
    result = NodeResult(node="node1", outcome=Outcome.CHANGED, verified=False, proof=Proof.PULL, problem=PROBLEM)
    item = find(outline_run(report(result), []), "node1")
    assert (item.verdict, item.status, item.title) == (Verdict.FAILURE, "changed", ("pull failed",))


def test_a_change_without_a_pull_is_not_called_proven() -> None:
    item = find(outline_run(report(NodeResult(node="node1", outcome=Outcome.CHANGED)), []), "node1")
    assert item.title == ("not proven by a pull",)


def test_a_halted_run_says_why_first() -> None:
    halted = report(NodeResult(node="node1", outcome=Outcome.SKIPPED), halted="1 node failed")
    first = outline_run(halted, []).groups[0][0]
    assert (first.kind, first.verdict, first.reason) == (Kind.COMMAND, Verdict.ERROR, "1 node failed")


@pytest.fixture
def drift() -> DriftReport:
    found = NodeDrift(
        status=DriftStatus.DRIFT,
        reason="a file was edited",
        files=(FileDrift(path=PATH, recorded="a" * 64, found="absent"),),
        added_arguments=("--token=Cha0tic",),
    )
    nodes = (
        DriftedNode(planned=planned("node1"), status=DriftStatus.DRIFT, reason="a file was edited", drift=found),
        DriftedNode(planned=planned("node2"), status=DriftStatus.IN_SYNC, reason=""),
    )
    return DriftReport(request=RunRequest(), general=POLICY, nodes=nodes)


def test_drift_lists_what_differs_and_counts_it(drift: DriftReport) -> None:
    outline = outline_drift(drift, ExitCode.PENDING, None, None)
    item = find(outline, "node1")
    assert outline.counts_pending
    assert (item.verdict, item.status, item.reason) == (Verdict.PENDING, "drift", "a file was edited")
    assert item.diff.splitlines() == [f"{PATH}: aaaaaaaaaaaa -> absent", "+ --token=***"]
    assert find(outline, "node2").verdict is Verdict.FINE


def test_a_corrected_node_is_fine_and_a_failed_correction_is_not(drift: DriftReport) -> None:
    done = report(NodeResult(node="node1", outcome=Outcome.CHANGED, verified=True, proof=Proof.PULL, seconds=4.0))
    item = find(outline_drift(drift, ExitCode.DONE, done, None), "node1")
    assert (item.verdict, item.status) == (Verdict.FINE, "corrected")
    assert item.timings == (("compare", 1.5), ("correct and verify", 4.0))
    failed = report(NodeResult(node="node1", outcome=Outcome.ROLLED_BACK, problem=PROBLEM))
    item = find(outline_drift(drift, ExitCode.FAILED, failed, None), "node1")
    assert (item.verdict, item.status, item.problem) == (Verdict.FAILURE, "rolled back", PROBLEM)


def test_a_correction_that_did_not_start_is_a_failure(drift: DriftReport) -> None:
    outline = outline_drift(drift, ExitCode.STOPPED, None, PROBLEM)
    assert (outline.items[0].verdict, outline.items[0].problem) == (Verdict.FAILURE, PROBLEM)


def test_drift_of_secrets_is_part_of_it(drift: DriftReport) -> None:
    gone = DriftedSecret(
        registry="h.lan", name="harbor-pull", namespace="shop", status=DriftStatus.DRIFT, reason="it was deleted"
    )
    item = find(
        outline_drift(replace(drift, secrets=SecretsDrift(secrets=(gone,))), ExitCode.PENDING, None, None),
        "shop/harbor-pull",
    )
    assert (item.kind, item.verdict, item.reason) == (Kind.SECRET, Verdict.PENDING, "it was deleted")
    unread = SecretsDrift(problem=PROBLEM)
    outline = outline_drift(replace(drift, secrets=unread), ExitCode.FAILED, None, None)
    assert find(outline, "pull secrets").verdict is Verdict.ERROR


def test_a_secret_shows_keys_and_no_value() -> None:
    plan = SecretPlan(
        namespace="shop",
        name="harbor-pull",
        outcome=Outcome.PENDING,
        action=SecretAction.UPDATE,
        reason="password changed",
        changes=(KeyChange(key="data[.dockerconfigjson]", kind=KeyChangeKind.REPLACE),),
        service_accounts=(ServiceAccountResult(name="default", outcome=Outcome.FAILED, problem=PROBLEM),),
    )
    secrets = SecretsReport(items=(SecretItem(registry="h.lan", result=plan),))
    outline = outline_plan(run_plan(secrets=secrets), ExitCode.FAILED, counts_pending=False)
    assert outline.summary == "Plan: 0 to change; pull secrets: 1 to change"
    item = find(outline, "shop/harbor-pull")
    assert (item.title, item.reason) == (("update",), "password changed")
    assert item.remarks == ("for h.lan", "replaces data[.dockerconfigjson]")
    assert find(outline, "shop/harbor-pull of service account default").verdict is Verdict.FAILURE

"""Output for hundreds of nodes stays readable: equal results once, failures first, progress in one line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.cli.progress import Progress
from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.events import NodeProbed, Phase
from harbor_agent.engine.history.runs import Store
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.plan.offline import plan_tree
from harbor_agent.engine.plan.run_plan import RunPlan
from harbor_agent.engine.request.request import NodeSelection, RegistryFlags, RunRequest, encode_request
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind
from harbor_agent.planning.drift import DriftStatus, FileDrift, NodeDrift
from harbor_agent.views.json.drift import build_drift_document
from harbor_agent.views.json.plan import build_plan_document
from harbor_agent.views.text.drift import drift_text
from harbor_agent.views.text.plan import plan_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

NO_ANSWER = Problem(code="ssh-timeout", message="no answer")


@pytest.fixture
def planned(tree: Path) -> PlannedNode:
    """A node that gets a drop-in."""
    return plan_tree(str(tree), resolve(RunRequest(flags=RegistryFlags(addresses=("harbor.lan",)))))


def plain(text: str) -> str:
    """The text without its colours."""
    return re.sub("\x1b\\[[0-9]*m", "", text)


def named(planned: PlannedNode, names: list[str]) -> list[PlannedNode]:
    return [replace(planned, node=Node(name=name, address=name)) for name in names]


def dead(name: str) -> PlannedNode:
    problem = Problem(code="ssh-timeout", message=f"{name}: no answer within 10 s", hint="check that the machine is up")
    node = Node(name=name, address=name)
    return PlannedNode(
        node=node,
        policy=resolve(RunRequest()).general,
        outcome=Outcome.UNREACHABLE,
        problem=problem,
        reason="none",
    )


def test_a_diff_of_412_nodes_is_shown_once_and_dead_nodes_come_first(planned: PlannedNode) -> None:
    nodes = [*named(planned, [f"node{n}" for n in range(412)]), *map(dead, ("x1", "x2", "x3", "x4"))]
    text = plain(plan_text(nodes, None))
    assert text.count("+++") == 1
    assert "412 nodes  change  drop-in, restart" in text
    assert "node0, node1, " in text
    assert "and 404 more" in text
    assert text.index("4 nodes  unreachable") < text.index("412 nodes")
    for name in ("x1", "x2", "x3", "x4"):
        assert f"{name}: no answer within 10 s" in text
    assert text.count("check that the machine is up") == 1
    assert text.splitlines()[-1] == "Plan: 412 to change (412 restart), 4 unreachable"
    assert len(text.splitlines()) < 40


def test_few_nodes_are_shown_one_by_one(planned: PlannedNode) -> None:
    text = plain(plan_text(named(planned, ["a", "b", "c"]), None))
    assert text.count("+++") == 3
    for name in ("a", "b", "c"):
        assert f"{name}  change  drop-in, restart" in text


def test_json_has_every_node_and_says_which_are_alike(planned: PlannedNode) -> None:
    nodes_of_plan = (dead("x1"), *named(planned, ["a", "b", "c", "d"]))
    run_plan = RunPlan(request=RunRequest(), general=planned.policy, nodes=nodes_of_plan)
    document = build_plan_document(run_plan, 4)
    nodes, groups = document["nodes"], document["groups"]
    assert isinstance(nodes, list)
    assert isinstance(groups, list)
    assert [node["node"] for node in nodes] == ["x1", "a", "b", "c", "d"]
    assert [group["nodes"] for group in groups] == [["a", "b", "c", "d"], ["x1"]]
    assert groups[0]["files"] == ["/etc/systemd/system/docker.service.d/docker-options.conf"]


def drift_report(planned: PlannedNode) -> DriftReport:
    """Four hosts that are down, and ten nodes on which somebody changed the same file."""
    file = FileDrift(path="/etc/docker/daemon.json", recorded="absent", found="f" * 64)
    drift = NodeDrift(status=DriftStatus.DRIFT, reason="files are not as recorded", files=(file,))
    changed = [
        DriftedNode(planned=one, status=drift.status, reason=drift.reason, drift=drift)
        for one in named(planned, [f"node{n}" for n in range(10)])
    ]
    down = [
        DriftedNode(planned=one, status=DriftStatus.UNREACHABLE, reason=one.reason, problem=one.problem)
        for one in map(dead, ("x1", "x2", "x3", "x4"))
    ]
    return DriftReport(request=RunRequest(), general=resolve(RunRequest()).general, nodes=(*changed, *down))


def test_the_same_drift_of_ten_nodes_is_printed_once_and_dead_nodes_come_first(planned: PlannedNode) -> None:
    text = plain(drift_text(drift_report(planned), None, None))
    assert text.index("4 nodes") < text.index("10 nodes")
    assert text.count("/etc/docker/daemon.json") == 1
    assert text.count("check that the machine is up") == 1
    for name in ("x1", "x2", "x3", "x4"):
        assert f"{name}: no answer within 10 s" in text
    assert text.splitlines()[-1] == "Drift: 10 drifted (10 in files, 0 at runtime), 4 unreachable"


def test_json_says_which_nodes_drifted_alike(planned: PlannedNode) -> None:
    groups = build_drift_document(drift_report(planned), 4, None, None)["groups"]
    assert isinstance(groups, list)
    assert [(group["status"], group["code"], len(group["nodes"])) for group in groups] == [
        ("drift", None, 10),
        ("unreachable", "ssh-timeout", 4),
    ]
    assert groups[0]["files"] == ["/etc/docker/daemon.json"]


def test_trouble_has_a_line_of_its_own_but_not_hundreds(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress(Phase(name="probe nodes", total=500))
    for number in range(400):
        progress(NodeProbed(node=f"node{number}", problem=None, seconds=0.1))
    for number in range(100):
        progress(NodeProbed(node=f"dead{number}", problem=NO_ANSWER, seconds=10.0))
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "probe nodes (500 nodes)"
    assert "dead0: no answer (10.0 s)" in shown[1]
    assert len(shown) < 30


def test_limit_failed_is_what_failed_in_the_last_run(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "hosts").write_text(
        "".join(f"node{n} ansible_host=127.0.0.{n} ansible_port=1\n" for n in range(1, 5)), encoding="utf-8"
    )
    command = ("plan", "-i", "hosts", "--registry", "h.lan", "-o", "json", "--limit")
    empty = run(*command, "@failed")
    assert empty.rc == 2
    assert f"has no run with {tmp_path / 'hosts'} yet" in empty.err
    outcomes = (Outcome.CHANGED, Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNCHANGED)
    add(list(zip([f"node{n}" for n in range(1, 5)], outcomes, strict=True)), tmp_path / "hosts")
    # Another cluster has a node of the same name; a run of dns apply has no node at all.
    add([("node1", Outcome.FAILED)], tmp_path / "west")
    add([])
    assert nodes_of(run, *command, "@failed") == ["node2", "node3"]
    assert nodes_of(run, *command, "@failed:!node2") == ["node3"]
    (tmp_path / "failed").write_text("node4\n", encoding="utf-8")
    assert nodes_of(run, *command, "@failed") == ["node4"]
    (tmp_path / "failed").unlink()
    add([("node1", Outcome.CHANGED)], tmp_path / "hosts")
    nothing = run(*command, "@failed")
    assert nothing.rc == 2
    assert "no node failed in the last run" in nothing.err


def nodes_of(run: Runner, *command: str) -> list[str]:
    nodes = run(*command).document()["nodes"]
    assert isinstance(nodes, list)
    return [node["node"] for node in nodes]


def add(outcomes: list[tuple[str, Outcome]], *inventories: Path) -> None:
    request = RunRequest(selection=NodeSelection(sources=tuple(map(str, inventories))))
    nodes = tuple(PastNode(node=name, policy_digest="d", outcome=outcome) for name, outcome in outcomes)
    with Store() as store:
        store.add_run(
            PastRun(
                run_id=f"run-{len(store.list_runs())}",
                kind=RunKind.APPLY,
                tool="harbor-agent 0",
                started="2026-11-24T06:09:06+00:00",
                who="ops@ctl",
                options=encode_request(request),
                nodes=nodes,
            )
        )

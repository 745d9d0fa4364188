"""A plan says what apply will refuse, in text, in JSON and in a plan file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.approval import approve_nodes
from harbor_agent.engine.plan.file import read_plan_file, save_plan_file
from harbor_agent.engine.plan.nodes import plan_state
from harbor_agent.engine.plan.run_plan import RunPlan, note_objections, refuse_unconsented_restarts
from harbor_agent.engine.request.request import NodeSelection, RunRequest
from harbor_agent.model.daemon import RunningContainer
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy, Registry
from harbor_agent.model.result import Outcome
from harbor_agent.planning.rollout.approval import check_approval
from harbor_agent.views.json.plan import build_plan_document
from harbor_agent.views.text.plan import plan_text
from harbor_agent.views.text.plan_file import plan_file_text
from tests.unit.planning.docker.nodes import DEBIAN_UNIT, FRAGMENT, HARBOR, node, running, want, with_docker

if TYPE_CHECKING:
    from pathlib import Path

ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
POLICY = Policy(registries=(Registry(address=want(HARBOR).present[0]),))
SENTENCE = "apply will refuse this change: the restart would stop containers that are not started again: db"


def build_run_plan(restart_policy: str, *names: str) -> RunPlan:
    containers = tuple(
        RunningContainer(name=name, image="i", restart_policy=restart_policy) for name in names or ("db",)
    )
    state = with_docker(running(node({FRAGMENT: DEBIAN_UNIT}), ARGV), containers=containers)
    request = RunRequest(selection=NodeSelection(sources=("node1,",)))
    planned = plan_state(Node(name="node1", address="192.0.2.1"), POLICY, state, request)
    return note_objections(RunPlan(request=request, general=POLICY, nodes=(planned,)))


@pytest.fixture
def run_plan() -> RunPlan:
    return build_run_plan("no")


def test_the_plan_says_what_apply_will_refuse(run_plan: RunPlan, tmp_path: Path) -> None:
    (refused,) = refuse_unconsented_restarts(run_plan).nodes
    assert refused.outcome is Outcome.REFUSED
    assert refused.problem is not None
    text = re.sub(r"\x1b\[[0-9]*m", "", plan_text(run_plan.nodes, None))
    assert f"  {SENTENCE} [containers-would-stop]\n  -> " in text
    assert "runtime: " not in text
    assert "\n  runtime: docker, because no kubelet" in plan_text(run_plan.nodes, None, is_verbose=True)
    assert text.endswith("Plan: 1 to change (1 restart), 1 of them refused by apply without consent")
    (document,) = build_plan_document(run_plan, 0)["nodes"]  # type: ignore[misc]
    assert (document["status"], document["apply_refuses"]["code"]) == ("change", refused.problem.code)
    save_plan_file(run_plan, str(tmp_path / "p.json"), hours=1)
    plan_file = read_plan_file(str(tmp_path / "p.json"))
    assert plan_file.nodes[0].apply_refuses == refused.problem
    assert SENTENCE in plan_file_text(plan_file)


def test_nothing_is_said_of_a_change_that_apply_will_make() -> None:
    run_plan = build_run_plan("always")
    assert "refuse" not in plan_text(run_plan.nodes, None)
    (document,) = build_plan_document(run_plan, 0)["nodes"]  # type: ignore[misc]
    assert document["apply_refuses"] is None


def test_an_approval_covers_the_containers_that_the_plan_file_names_and_no_others() -> None:
    (approved,) = approve_nodes(build_run_plan("no").nodes, with_diffs=True)
    (same,) = approve_nodes(build_run_plan("no").nodes, with_diffs=True)
    (fewer,) = approve_nodes(build_run_plan("always").nodes, with_diffs=True)
    (more,) = approve_nodes(build_run_plan("no", "db", "queue").nodes, with_diffs=True)
    known = {"node1": approved}
    assert check_approval(same, known) is None
    assert check_approval(fewer, known) is None
    problem = check_approval(more, known)
    assert problem
    assert (problem.code, problem.message.endswith("not started again: db, queue")) == ("plan-stale", True)

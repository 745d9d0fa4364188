"""The controller is killed during a run: nodes finish their transactions, and the run can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.faults.controller import Order, applying_held, taking_up
from tests.faults.failpoint import PULLING, Failpoint, held, is_final
from tests.faults.invariants import assert_backed_up, assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


@pytest.mark.parametrize("steps", [("begun", "swapped-1", "activating"), ("armed", "preflight", "health")])
def test_a_killed_run_is_taken_up_by_its_name_and_converges(site: Site, steps: tuple[str, ...]) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    with applying_held(order, steps) as (running, points):
        transactions = [point.wait() for point in points]
        assert PULLER.password.encode() not in running.argv_shows
        running.kill()
        for point, transaction in zip(points, transactions, strict=True):
            was = expected[point.node.name]
            if point.step not in {"begun", "preflight"}:
                assert_backed_up(transaction, was.files, was.before.files)
        assert str(running.process.pid) in site.agent("lock", "show").stdout
        killed = site.agent("history", "-o", "json").document["runs"][0]
        assert (killed["state"], {node["outcome"] for node in killed["nodes"]}) == ("broken-off", {None})
        assert "did not finish" in site.agent("history").stdout.splitlines()[1]
        with taking_up(site, killed["run_id"]) as again:
            # The nodes are still at it, and nothing that they began is disturbed.
            again.wait_said("changes that an earlier run started")
            for point in points:
                point.release()
            ended = again.end()
    assert ended.code == 0, ended.stderr
    assert "an earlier run was killed" in ended.stderr
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")
    assert {node["outcome"] for node in ended.document["nodes"]} <= {"changed", "unchanged"}
    assert {node["verified"] for node in ended.document["nodes"]} == {True}
    complete = site.agent("apply", "--resume", ended.document["run_id"], "--yes", "-o", "json")
    assert complete.document["error"]["code"] == "run-complete"


@pytest.mark.field("words")
def test_an_apply_after_a_killed_run_waits_for_its_transactions(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "swapped-1")
    with held(point), order.applying() as running:
        point.wait()
        running.kill()
        with order.applying() as again:
            again.wait_said("changes that an earlier run started")
            point.release()
            ended = again.end()
    assert ended.code == 0, ended.stderr
    assert assert_invariants(site, expected, ended) == {node.name: "new"}


@pytest.mark.field("words")
@pytest.mark.parametrize("kind", ["rollback", "correction"])
def test_a_rollback_and_a_correction_after_a_killed_run_wait_for_its_transactions(site: Site, kind: str) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "swapped-1")
    with held(point), order.applying() as running:
        point.wait()
        running.kill()
        with order.correcting() if kind == "correction" else order.rolling_back() as again:
            again.wait_said("changes that an earlier run started")
            point.release()
            ended = again.end()
    assert ended.code == 0, ended.stderr
    if kind == "rollback":
        assert_reported(ended, node.name, "changed")
    else:
        assert (ended.node(node.name)["status"], ended.document["run"]) == ("in_sync", None), ended.stdout
    assert assert_invariants(site, expected, ended) == {node.name: "old" if kind == "rollback" else "new"}


def test_a_controller_killed_during_the_pull_leaves_neither_login_nor_image(site: Site) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, PULLING) for node in site.nodes]
    kept = "ls -d /run/harbor-agent-pull.* /dev/shm/harbor-agent-pull.*"
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
            assert point.node.run(kept, check=False).stdout
        running.kill()
    left = f"{kept}; docker images -q {site.image}"
    for node in site.nodes:
        wait_until(lambda: node.run(left, check=False).stdout == "", "login and image are gone", seconds=60)  # noqa: B023
    assert assert_invariants(site, expected) == dict.fromkeys(expected, "new")


@pytest.mark.parametrize("times", [1, 2])
def test_a_controller_that_is_asked_to_end_leaves_the_node_to_finish(site: Site, times: int) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "swapped-1")
    with held(point), order.applying() as running:
        transaction = point.wait()
        for count in range(1, times + 1):
            running.process.terminate()
            if count == 1:
                running.wait_said("exit at once")
                assert running.process.poll() is None
        if times == 1:
            point.release()
        ended = running.end()
    assert ended.code == (143 if times == 1 else 130), ended.stderr
    if times == 1:
        assert_reported(ended, node.name, "changed")
    else:
        assert "finish on their own" in ended.stderr
    wait_until(lambda: is_final(transaction), "the node has finished", seconds=60)
    assert assert_invariants(site, expected, ended) == {node.name: "new"}

"""The controller goes away in the middle: nodes end by themselves, and the same command again finishes the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.faults.controller import Order
from tests.faults.failpoint import PULLING, Failpoint, held, is_final
from tests.faults.invariants import assert_backed_up, assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


def test_a_killed_controller_leaves_whole_nodes_and_the_same_command_finishes(site: Site) -> None:
    steps = ("begun", "swapped-1", "activating")
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, step) for node, step in zip(site.nodes, steps, strict=True)]
    with held(*points), order.applying() as running:
        transactions = [point.wait() for point in points]
        assert PULLER.password.encode() not in running.argv_shows
        running.kill()
        for point, transaction in zip(points[1:], transactions[1:], strict=True):
            assert_backed_up(transaction, expected[point.node.name])
        stale = site.agent("lock", "show").stdout
    assert str(running.process.pid) in stale
    first, *others = site.nodes
    found = assert_invariants(site, expected)
    # What was on its way in may have been taken up or not; what had begun is finished.
    assert all(found[node.name] == "new" for node in others)
    again = order.apply()
    assert again.code == 0, again.stderr
    assert "an earlier run was killed" in again.stderr
    assert again.node(first.name)["outcome"] == ("unchanged" if found[first.name] == "new" else "changed")
    assert assert_invariants(site, expected, again) == dict.fromkeys(expected, "new")


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
    for node in site.nodes:
        wait_until(lambda: node.run(kept, check=False).stdout == "", "the login is gone", seconds=30)  # noqa: B023
        assert node.run(f"docker images -q {site.image}").stdout == ""
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
                wait_until(lambda: "once more leaves at once" in running.said(), "it has heard", seconds=10)
                assert running.process.poll() is None
        if times == 1:
            point.release()
        ended = running.end()
    assert ended.code == (143 if times == 1 else 130), ended.stderr
    if times == 1:
        assert_reported(ended, node.name, "changed")
    else:
        assert "finish by themselves" in ended.stderr
    wait_until(lambda: is_final(transaction), "the node has finished", seconds=60)
    assert assert_invariants(site, expected, ended) == {node.name: "new"}

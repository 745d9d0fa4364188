"""The controller goes away in the middle: nodes end by themselves, and the same command again finishes the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_backed_up, assert_invariants

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


@pytest.mark.parametrize("step", ["begun", "swapped-1", "activating"])
def test_a_killed_controller_leaves_whole_nodes_and_the_same_command_finishes(site: Site, step: str) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, step) for node in site.nodes]
    with held(*points), order.applying() as running:
        transactions = [point.wait() for point in points]
        assert PULLER.password.encode() not in running.argv_shows
        running.kill()
        if step != "begun":
            for transaction, was in zip(transactions, expected.values(), strict=True):
                assert_backed_up(transaction, was)
        stale = site.agent("lock", "show").stdout
    assert str(running.process.pid) in stale
    found = assert_invariants(site, expected)
    again = order.apply()
    assert again.code == 0, again.stderr
    assert "an earlier run was killed" in again.stderr
    assert assert_invariants(site, expected, again) == dict.fromkeys(expected, "new")
    if step != "begun":
        assert found == dict.fromkeys(expected, "new")

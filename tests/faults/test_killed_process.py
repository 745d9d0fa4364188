"""The transaction's process is killed after every step of the journal: the node is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order, applying_held
from tests.faults.invariants import assert_backed_up, assert_invariants, assert_reported

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

# Six nodes are stopped at once, each behind another step: every step on the earlier and on the later generation. The
# third of each is changed by a reload.
_TOGETHER = [
    ("preflight", "prepared", "armed", "swapping-1", "activating", "swapped-1"),
    ("swapping-1", "activating", "swapped-1", "health", "committed", "health"),
    ("health", "committed", "health", "preflight", "prepared", "armed"),
]


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_a_killed_process_is_followed_by_the_way_back(site: FaultSite, steps: tuple[str, ...]) -> None:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    with applying_held(order, steps) as (running, points):
        for point in points:
            transaction, was = point.wait(), expected[point.node.name]
            if point.step not in {"preflight", "committed"}:
                assert_backed_up(transaction, was.files, was.before.files)
            point.node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
        ended = running.end()
    found = assert_invariants(site, expected, ended)
    for point in points:
        outcome = {"preflight": "refused", "committed": "changed"}.get(point.step, "rolled_back")
        assert_reported(ended, point.node.name, outcome, f"ended after step {point.step}" * (outcome != "changed"))
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")

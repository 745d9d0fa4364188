"""An orderly reboot during a transaction: systemd stops it, and the next boot completes the rollback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order, applying_held
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.node import LabNode

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

# Six nodes at once, so that every step is met on both generations.
_TOGETHER = [
    ("begun", "preflight", "prepared", "armed", "swapping-1", "swapped-1"),
    ("activating", "swapping-1", "swapped-1", "health", "committed", "activating"),
    ("health", "committed", "armed", "begun", "preflight", "prepared"),
]


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_a_node_that_is_rebooted_comes_back_old_or_new(site: FaultSite, steps: tuple[str, ...]) -> None:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    with applying_held(order, steps) as (running, points):
        with ThreadPoolExecutor() as pool:
            list(pool.map(LabNode.reboot, site.all_nodes))
        for point in points:
            point.release()
        ended = running.end()
    found = assert_invariants(site, expected, ended)
    for point in points:
        before_any_change = dict.fromkeys(("begun", "preflight", "prepared"), "refused")
        outcome = {**before_any_change, "committed": "changed"}.get(point.step, "rolled_back")
        assert_reported(ended, point.node.name, outcome)
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")

"""The node's own trouble: its power is cut, or the transaction's process killed, behind every step of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_backed_up, assert_invariants, assert_reported

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")

# Three nodes are stopped at once, each behind another step; the third is changed by a reload.
_TOGETHER = [
    ("preflight", "prepared", "armed"),
    ("swapping-1", "activating", "swapped-1"),
    ("health", "committed", "health"),
]


def _ends(step: str, *, prepared: str) -> str:
    """Return what becomes of a transaction that is stopped behind `step`."""
    return {"preflight": "refused", "prepared": prepared, "committed": "changed"}.get(step, "rolled_back")


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_a_power_cut_is_recovered_from_at_boot(site: Site, steps: tuple[str, ...]) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, step) for node, step in zip(site.nodes, steps, strict=True)]
    with held(*points), order.applying() as running:
        for point in points:
            transaction = point.wait()
            if point.step not in {"preflight", "committed"}:
                assert_backed_up(transaction, expected[point.node.name])
            point.node.power_off()
            point.release()
        for node in site.nodes:
            node.start()
        ended = running.end()
    found = assert_invariants(site, expected, ended)
    for point in points:
        outcome = _ends(point.step, prepared="refused")
        assert_reported(
            ended, point.node.name, outcome, f"went down after step {point.step}" * (outcome == "rolled_back")
        )
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_a_killed_process_is_followed_by_the_way_back(site: Site, steps: tuple[str, ...]) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, step) for node, step in zip(site.nodes, steps, strict=True)]
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
            point.node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
        ended = running.end()
    found = assert_invariants(site, expected, ended)
    for point in points:
        outcome = _ends(point.step, prepared="rolled_back")
        assert_reported(ended, point.node.name, outcome, f"ended after step {point.step}" * (outcome != "changed"))
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")

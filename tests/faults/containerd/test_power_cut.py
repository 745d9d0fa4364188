"""The power of containerd nodes is cut in the middle of a change: they boot with the files they had, and pull again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import assert_invariants, expect
from tests.faults.controller import applying_held
from tests.faults.failpoint import journalled
from tests.lab.node import LabNode

if TYPE_CHECKING:
    from tests.faults.controller import Order

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

_STEPS = [
    ("swapping-1", "swapped-2", "activating"),
    ("health", "swapping-2", "committed"),
    ("armed", "activating", "health"),
]
# After a boot the node waits for containerd, and once more if it has to restart it (two health_deadlines); until then
# the command asks it.
_SETTLE = 240.0


@pytest.mark.parametrize("steps", _STEPS, ids="-".join)
def test_a_node_without_power_comes_back_old_or_new(order: Order, steps: tuple[str, ...]) -> None:
    expected = expect(order)
    with applying_held(order, steps) as (running, points):
        transactions = [point.wait() for point in points]
        with ThreadPoolExecutor() as pool:
            list(pool.map(LabNode.power_off, order.nodes))
        for point in points:
            point.release()
            point.node.start()
        ended = running.end(seconds=2 * _SETTLE)
    found = assert_invariants(order, expected, ended, pods_end=True, settle=_SETTLE)
    for point, transaction in zip(points, transactions, strict=True):
        assert journalled(transaction)[-1] == ("committed" if point.step == "committed" else "rolled_back"), point.step
        assert found[point.node.name] == ("new" if point.step == "committed" else "old"), point.step

    done = order.apply()
    assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 3, done.stdout

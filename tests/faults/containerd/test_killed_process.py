"""The transaction's process is killed after every step of a change that restarts containerd; then containerd itself."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import assert_invariants, describe, expect, read_outcome, wrapped
from tests.faults.controller import applying_held
from tests.faults.failpoint import ASKING, Failpoint, held, journalled
from tests.faults.invariants import assert_backed_up, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.controller import Order

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

# Three nodes are held at once, each behind another step. The third file of each change is containerd's own.
_TOGETHER = [
    ("preflight", "swapped-2", "activating"),
    ("health", "prepared", "swapping-3"),
    ("swapped-3", "committed", "armed"),
]
_LIMIT_HIT = "systemctl is-failed --quiet containerd && journalctl -b -u containerd | grep -q 'repeated too quickly'"
_KILL = "systemctl kill --kill-who=main --signal=KILL {}"


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_a_killed_process_is_followed_by_the_way_back(order: Order, steps: tuple[str, ...]) -> None:
    expected = expect(order)
    with applying_held(order, steps) as (running, points):
        for point in points:
            transaction, was = point.wait(), expected[point.node.name]
            if point.step not in {"preflight", "committed"}:
                assert_backed_up(transaction, was.planned, was.files)
            point.node.run(_KILL.format("harbor-agent-transaction"))
        ended = running.end()
    found = assert_invariants(order, expected, ended)
    for point in points:
        outcome = {"preflight": "refused", "committed": "changed"}.get(point.step, "rolled_back")
        assert_reported(ended, point.node.name, outcome, f"ended after step {point.step}" * (outcome != "changed"))
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")


def _is_restoring_again(transaction: Path) -> bool:
    return journalled(transaction).count("restoring") > 1


def test_the_way_back_from_a_start_that_fails_is_gone_on_with(order: Order) -> None:
    # systemd starts it again at once until the limit is reached: the next start would be refused.
    limit = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=2\n[Service]\nRestartSec=0\n"
    expected = expect(order)
    points = [Failpoint(node, "restoring") for node in order.nodes]
    with ExitStack() as stack:
        for node in order.nodes:
            stack.enter_context(wrapped(node, "echo 'fatal: error 4711' >&2; exit 1", limit))
        stack.enter_context(held(*points))
        running = stack.enter_context(order.applying())
        for point in points:
            transaction = point.wait()
            reached = partial(point.node.succeeds, _LIMIT_HIT)
            wait_until(reached, f"{point.node.name} reached the limit", seconds=20)
            point.node.run(_KILL.format("harbor-agent-transaction"))
            goes_on = partial(_is_restoring_again, transaction)
            wait_until(goes_on, "it goes on", seconds=60)
            point.release()
        ended = running.end()
    for node in order.nodes:
        assert_reported(ended, node.name, "rolled_back")
    assert assert_invariants(order, expected, ended) == dict.fromkeys(expected, "old")


def test_a_containerd_that_is_killed_while_its_health_is_checked(order: Order) -> None:
    expected = expect(order)
    points = [Failpoint(node, ASKING) for node in order.nodes]
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
            point.node.run(_KILL.format("containerd"))
            point.release()
        ended = running.end()
    # systemd starts it again after five seconds: it is rolled back, unless the node was slow to ask.
    found = assert_invariants(order, expected, ended)
    outcomes = {node.name: read_outcome(ended, node) for node in order.nodes}
    assert set(outcomes.values()) <= {"rolled_back containerd-start-failed", "changed"}, describe(ended)
    assert found == {name: "new" if outcome == "changed" else "old" for name, outcome in outcomes.items()}

"""A node that cannot be asked how its change ended is `unknown`, never failed; the next run resolves it."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, is_final
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Ended
    from tests.faults.controller import Applying
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")


@contextmanager
def _lost(site: FaultSite, point: Failpoint, running: Applying) -> Iterator[None]:
    """Break the connection where the node is held, let it go on, and keep it silent for as long as the block runs."""
    transaction = point.wait()
    with site.lab.silenced(point.node):
        point.node.end_connections()
        point.release()
        wait_until(lambda: is_final(transaction), "the node has ended by itself", seconds=60)
        running.wait_said("checking the node")
        yield


def _assert_unknown(ended: Ended, name: str) -> None:
    assert_reported(ended, name, "unknown", "connection lost", "finishes on its own")
    assert ended.node(name)["code"] == "transaction-unknown"
    assert "run the same command again" in ended.node(name)["hint"]


def test_a_node_that_stays_silent_is_unknown_and_the_next_run_resolves_it(site: FaultSite) -> None:
    silent, other = site.nodes[0], site.later[2]
    order = Order(site=site, nodes=[silent, other], health_deadline=10)
    expected = order.expect()
    point = Failpoint(silent, "activating")
    with held(point), order.applying() as running, _lost(site, point, running):
        ended = running.end()
        meanwhile = order.apply()
    assert ended.code == 1, ended.stderr
    _assert_unknown(ended, silent.name)
    assert f"{silent.name}: no answer yet; checking for another " in ended.stderr
    assert_reported(ended, other.name, "changed")
    assert meanwhile.code == 4, meanwhile.stderr
    assert_reported(meanwhile, silent.name, "unreachable")
    again = order.apply()
    assert again.code == 0, again.stdout
    assert again.node(silent.name)["outcome"] == "unchanged"
    assert assert_invariants(site, expected, ended, meanwhile, again) == dict.fromkeys(expected, "new")


def test_ctrl_c_ends_the_asking_at_once(site: FaultSite) -> None:
    node = site.later[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "activating")
    with held(point), order.applying() as running, _lost(site, point, running):
        started = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        ended = running.end()
        # The asking itself has minutes.
        assert time.monotonic() - started < 30
    assert ended.code == 130, ended.stderr
    _assert_unknown(ended, node.name)
    again = order.apply()
    assert again.node(node.name)["outcome"] == "unchanged"
    assert assert_invariants(site, expected, ended, again) == {node.name: "new"}

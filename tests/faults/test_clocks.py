"""Clocks that are wrong: no plan, lock, transaction or deadline expires because of them, and nothing is deleted."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Applying, Order
from tests.faults.failpoint import Failpoint, held, is_final
from tests.faults.invariants import assert_invariants, assert_reported

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

_TRANSACTIONS = "var/lib/harbor-agent/transactions"


def _clock(file: Path, offset: str) -> dict[str, str]:
    """Return the environment in which the time of day is `offset` off, or whatever the file says later on."""
    file.write_text(offset)
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        # As on any machine: what has been set is the time of day, the time since boot goes on.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.needs("nodes", "faketime")
@pytest.mark.parametrize("days", [1, -1])
def test_the_controllers_clock_may_jump_while_a_run_goes_on(site: FaultSite, tmp_path: Path, days: int) -> None:
    nodes = (site.nodes[0], site.later[2])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    points = [Failpoint(node, "swapped-1") for node in nodes]
    file = tmp_path / "clock"
    clock = _clock(file, "+0")
    with held(*points), order.applying(environment=clock) as running:
        for point in points:
            point.wait()
        file.write_text(f"{days:+}d")
        shown = float(site.lab.run(["date", "+%s"], env=clock).stdout)
        assert abs(shown - time.time() - days * 86400) < 600
        for point in points:
            point.release()
        ended = running.end()
    assert ended.code == 0, ended.stdout + ended.stderr
    for node in nodes:
        assert_reported(ended, node.name, "changed")
        assert ended.node(node.name)["verified"] is True
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")


@pytest.mark.needs("nodes", "faketime")
def test_a_plan_does_not_expire_by_a_clock_that_was_set(site: FaultSite, tmp_path: Path) -> None:
    node = site.nodes[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    kept = tmp_path / "clock.plan"
    planned = site.agent(*order.arguments("plan", "--out", str(kept)))
    assert planned.code == 0, planned.stderr
    clock = _clock(tmp_path / "clock", "+2d")
    with Applying(site, ["apply", str(kept), "--allow-unreachable-registry", "--yes", "-o", "json"], clock) as running:
        ended = running.end()
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.document["run_id"].startswith(f"{datetime.now(UTC) + timedelta(days=2):%Y%m%d}")
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}


@pytest.mark.needs("nodes")
def test_a_nodes_clock_that_was_set_back_clears_away_no_backup_that_is_needed(site: FaultSite) -> None:
    node = site.nodes[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    # What the node keeps was written while its clock was a day ahead, and so says any program that it asks now.
    shim = node.root / "usr/local/sbin/date"
    shim.write_text('#!/bin/sh\nexec /usr/bin/date --date="-1 day" "$@"\n')
    shim.chmod(0o755)
    age = f"cd /{_TRANSACTIONS} && one=$(grep -l '^prepared ' */journal | tail -n 1) && "
    age += "for i in 1 2 3 4 5; do cp -a ${one%/*} aged-$i; done && touch --date='1 day' *"
    node.run(age)
    try:
        ended = order.apply()
        assert_reported(ended, node.name, "changed")
        assert is_final(node.root / _TRANSACTIONS / ended.document["run_id"])
    finally:
        shim.unlink()
        node.run(f"cd /{_TRANSACTIONS} && rm -rf aged-* && touch *")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}

"""Other runs, other people's shells, clocks and leftovers: one transaction at a time, and each run on its own."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, is_final, journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_TRANSACTIONS = "var/lib/harbor-agent/transactions"
_NOISY = "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x >&2\necho >>/var/fault.fired\nexec /bin/bash \"$@\"\n"


@contextmanager
def _shell(node: LabNode, user: str, shell: str) -> Iterator[None]:
    node.run(f"usermod --shell {shell} {user}")
    try:
        yield
    finally:
        node.run(f"usermod --shell /bin/bash {user}")


def _transactions(node: LabNode) -> set[str]:
    return {path.name for path in (node.root / _TRANSACTIONS).iterdir()}


def test_of_two_controllers_the_second_learns_who_is_at_work(site: Site, tmp_path: Path) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    second = Order(site=site, nodes=[node])
    point = Failpoint(node, "preflight")
    with held(point), order.applying() as running:
        transaction = point.wait()
        late = second.apply()
        assert late.code == 75, late.stderr
        assert str(running.process.pid) in late.stderr + late.stdout
        with second.applying(state=tmp_path) as other:
            elsewhere = other.end()
        assert elsewhere.code == 5, elsewhere.stdout
        assert_reported(elsewhere, node.name, "refused", transaction.name)
        point.release()
        ended = running.end()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended, late, elsewhere) == {node.name: "new"}


def test_a_plan_while_a_transaction_runs_does_not_disturb_it(site: Site) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, "swapped-1") for node in site.nodes]
    with held(*points), order.applying() as running:
        transactions = [point.wait() for point in points]
        seen = order.plan()
        assert seen.code in {0, 5}, seen.stderr
        assert not any(is_final(transaction) for transaction in transactions)
        for point in points:
            point.release()
        ended = running.end()
    assert ended.code == 0, ended.stderr
    assert assert_invariants(site, expected, ended, seen) == dict.fromkeys(expected, "new")


def test_a_journal_that_cannot_be_read_is_taken_back(site: Site) -> None:
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    points = [Failpoint(node, "swapped-1") for node in site.nodes]
    with held(*points), order.applying() as running:
        for point, garbage in zip(points, (b"", b"\0\xff\xfe{\n", b"committed"), strict=True):
            transaction = point.wait()
            (transaction / "journal").write_bytes(garbage)
            point.node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
        ended = running.end()
    for node in site.nodes:
        assert_reported(ended, node.name, "rolled_back")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def test_a_lock_of_garbage_is_no_lock(site: Site) -> None:
    node = site.nodes[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    lock = site.lab.home / ".local/state/harbor-agent/lock"
    assert lock.exists()
    lock.write_bytes(b"\0\xff{ not JSON")
    assert site.agent("lock", "show").code == 0
    ended = order.apply()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}


def test_a_clock_a_day_off_expires_nothing(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    shim = node.root / "usr/local/sbin/date"
    shim.write_text('#!/bin/sh\nexec /usr/bin/date --date="1 day" "$@"\n')
    shim.chmod(0o755)
    try:
        assert int(node.run("date +%s").stdout) > time.time() + 80000
        expected = order.expect()
        ended = order.apply()
        assert_reported(ended, node.name, "changed")
        assert assert_invariants(site, expected, ended) == {node.name: "new"}
    finally:
        shim.unlink()


def test_a_login_shell_that_says_five_megabytes_on_stderr_blocks_nothing(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    noisy = node.root / "usr/local/bin/noisy"
    noisy.write_text(_NOISY)
    noisy.chmod(0o755)
    (node.root / "var/fault.fired").touch()
    (node.root / "var/fault.fired").chmod(0o666)
    with _shell(node, "ops", "/usr/local/bin/noisy"):
        expected = order.expect()
        ended = order.apply()
        assert_reported(ended, node.name, "changed")
        assert len((node.root / "var/fault.fired").read_bytes()) >= 2
        assert assert_invariants(site, expected, ended) == {node.name: "new"}
    noisy.unlink()
    (node.root / "var/fault.fired").unlink()


def test_another_shell_does_too(site: Site) -> None:
    nodes = site.nodes[:2]
    order = Order(site=site, nodes=nodes)
    # On the one /bin/sh is busybox's, on the other dash is what the user has.
    nodes[0].run("ln -sfn busybox /usr/bin/sh")
    try:
        with _shell(nodes[0], "ops", "/bin/sh"), _shell(nodes[1], "ops", "/bin/dash"):
            expected = order.expect()
            ended = order.apply()
            assert ended.code == 0, ended.stdout
            assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")
    finally:
        nodes[0].run("ln -sfn dash /usr/bin/sh")


def test_a_host_that_is_listed_twice_has_one_transaction(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    before, started = _transactions(node), node.run("systemctl show -p NRestarts,MainPID docker").stdout
    inventory = site.lab.write_inventory("twice.ini", nodes=[node], further_hosts={"alias": node.address})
    ended = site.agent("apply", "-i", inventory, "--registry", order.entry, "--yes", "-o", "json")
    assert ended.code == 0, ended.stdout
    assert_reported(ended, node.name, "changed")
    assert len(_transactions(node) - before) == 1
    assert node.run("systemctl show -p NRestarts,MainPID docker").stdout != started
    assert assert_invariants(site, expected, ended) == {node.name: "new"}


def test_many_runs_leave_few_backups(site: Site) -> None:
    node = site.nodes[2]
    for _ in range(6):
        order = Order(site=site, nodes=[node])
        ended = order.apply()
        assert_reported(ended, node.name, "changed")

    def kept() -> int:
        return sum("prepared" in journalled(node.root / _TRANSACTIONS / name) for name in _transactions(node))

    wait_until(lambda: kept() <= 5, "no more than five backups are left", seconds=20)
    expected = Order(site=site, nodes=[node]).expect()
    assert assert_invariants(site, expected, ended) == {node.name: "old"}
    left = {path.name for path in (node.root / "var/lib/harbor-agent").iterdir()}
    assert left <= {"transactions", "record", "pristine", "created-directories"}

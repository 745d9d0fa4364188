"""Other runs, odd login shells and stale leftovers: one transaction at a time, and runs do not disturb each other."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.lock import find_lock_file
from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, is_final
from tests.faults.invariants import assert_invariants, assert_reported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.place import FaultSite
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_TRANSACTIONS = "var/lib/harbor-agent/transactions"
_NOISY = "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x >&2\necho >>/var/fault.fired\nexec /bin/bash \"$@\"\n"

_TALKING = """\
#!/bin/sh
echo "no mail" >&2
[ "$(id -un)" = root ] || echo welcome
exec /bin/dash "$@"
"""


@contextmanager
def _shell(node: LabNode, user: str, shell: str) -> Iterator[None]:
    node.run(f"usermod --shell {shell} {user}")
    try:
        yield
    finally:
        node.run(f"usermod --shell /bin/bash {user}")


def _transactions(node: LabNode) -> set[str]:
    return {path.name for path in (node.root / _TRANSACTIONS).iterdir()}


def test_of_two_controllers_the_second_learns_who_is_at_work(site: FaultSite, tmp_path: Path) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node], inventory="shared.ini")
    expected = order.expect()
    # It waits for the first one as long as a daemon may take to become healthy.
    second = Order(site=site, nodes=[node], inventory="shared.ini", health_deadline=10)
    point = Failpoint(node, "preflight")
    with held(point), order.applying() as running:
        transaction = point.wait()
        late = second.apply()
        assert late.code == 75, late.stderr
        assert str(running.process.pid) in late.stderr + late.stdout
        with second.applying(environment={"XDG_STATE_HOME": str(tmp_path)}) as other:
            elsewhere = other.end()
        assert elsewhere.code == 5, elsewhere.stdout
        assert_reported(elsewhere, node.name, "refused", transaction.name)
        point.release()
        ended = running.end()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended, late, elsewhere) == {node.name: "new"}


def test_a_plan_while_a_transaction_runs_does_not_disturb_it(site: FaultSite) -> None:
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


def test_a_journal_that_cannot_be_read_is_taken_back(site: FaultSite) -> None:
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


def test_a_lock_of_garbage_is_no_lock(site: FaultSite) -> None:
    node = site.nodes[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    inventory = order.arguments("apply")[2]
    lock = site.lab.home / ".local/state/harbor-agent" / find_lock_file(inventory).name
    lock.write_bytes(b"\0\xff{ not JSON")
    assert site.agent("lock", "show").code == 0
    ended = order.apply()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}


def test_a_login_shell_that_says_five_megabytes_on_stderr_blocks_nothing(site: FaultSite) -> None:
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


def test_another_shell_does_too(site: FaultSite) -> None:
    nodes = site.nodes
    # On the first /bin/sh is busybox's; on the second the user has dash behind a shell that talks, on the third root.
    talking = [node.root / "usr/local/bin/talking" for node in nodes[1:]]
    for shell in talking:
        shell.write_text(_TALKING)
        shell.chmod(0o755)
    nodes[0].run("ln -sfn busybox /usr/bin/sh")
    order = Order(site=site, nodes=nodes, own={nodes[2].name: {"ansible_user": "root"}})
    try:
        with (
            _shell(nodes[0], "ops", "/bin/sh"),
            _shell(nodes[1], "ops", "/usr/local/bin/talking"),
            _shell(nodes[2], "root", "/usr/local/bin/talking"),
        ):
            assert nodes[1].run("true", user="ops").stdout == "welcome\n"
            login = subprocess.run(nodes[2].ssh_command("true"), check=True, capture_output=True, input="", text=True)
            assert login.stderr == "no mail\n"
            expected = order.expect()
            ended = order.apply()
            assert ended.code == 0, ended.stdout
            assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")
    finally:
        nodes[0].run("ln -sfn dash /usr/bin/sh")
        for shell in talking:
            shell.unlink()


def test_a_host_that_is_listed_twice_has_one_transaction(site: FaultSite) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    before, started = _transactions(node), node.run("systemctl show -p NRestarts,MainPID docker").stdout
    allowed = ("--allow-unreachable-registry",)
    inventory = site.lab.write_inventory("twice.ini", nodes=[node], further_hosts={"alias": node.address})
    ended = site.agent("apply", "-i", inventory, "--registry", order.entry, *allowed, "--yes", "-o", "json")
    assert ended.code == 0, ended.stdout
    assert_reported(ended, node.name, "changed")
    assert len(_transactions(node) - before) == 1
    assert node.run("systemctl show -p NRestarts,MainPID docker").stdout != started
    assert assert_invariants(site, expected, ended) == {node.name: "new"}

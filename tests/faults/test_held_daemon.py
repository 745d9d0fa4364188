"""A killed controller and a killed transaction while a rollback holds dockerd and its socket: both run again."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order, taking_up
from tests.faults.failpoint import Failpoint, held, journalled
from tests.faults.invariants import assert_invariants, assert_reported, expect
from tests.faults.wrapper import wrapped
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.place import FaultSite
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_HELD = "held"
_SYSTEMCTL = f"""\
#!/bin/sh
/usr/bin/systemctl "$@"
status=$?
case $(cat /var/failpoint 2>/dev/null):"$*" in
  {_HELD}:'stop docker.service')
    ls -td /var/lib/harbor-agent/transactions/*/journal | head -n 1 >/var/failpoint.new
    mv /var/failpoint.new /var/failpoint.reached
    while [ -e /var/failpoint ]; do sleep 0.05; done
    ;;
esac
exit "$status"
"""
_STATES = "systemctl is-active docker.service docker.socket"
_RUNNING = (
    "docker ps -q --no-trunc | xargs docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' | sort"
)


@contextmanager
def _stopping_behind_the_hold(node: LabNode) -> Iterator[None]:
    """Let the failpoint of a node stop its transaction once it has stopped dockerd and its socket."""
    shim = node.root / "usr/local/sbin/systemctl"
    shim.write_text(_SYSTEMCTL)
    shim.chmod(0o755)
    try:
        yield
    finally:
        shim.unlink()


def _assert_held(node: LabNode, transaction: Path) -> None:
    assert node.run(_STATES, check=False).stdout.split() == ["inactive", "inactive"]
    assert (transaction / "held").read_text() == "docker.socket\n"


def test_a_killed_run_and_transaction_leave_nothing_held(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    order = Order(site=site, nodes=nodes)
    expected = expect(site.agent(*order.arguments("plan", "--live-restore")), order.entry, nodes)
    for node in nodes:
        node.start_container("one-off", "busybox:lab")
    running = {node.name: node.run(_RUNNING).stdout for node in nodes}
    points = [Failpoint(node, _HELD) for node in nodes]
    with ExitStack() as stack:
        failing = stack.enter_context(ExitStack())
        for node in nodes:
            stack.enter_context(_stopping_behind_the_hold(node))
            failing.enter_context(wrapped(node, order.entry, "exit 1"))
        stack.enter_context(held(*points))
        first = stack.enter_context(order.applying("--live-restore"))
        transactions = first.wait_held(points)
        failing.close()
        for node, transaction in zip(nodes, transactions, strict=True):
            _assert_held(node, transaction)
        first.kill()
        for node, transaction in zip(nodes, transactions, strict=True):
            node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
            wait_until(lambda: journalled(transaction).count("restoring") > 1, "it goes on", seconds=60)  # noqa: B023
            _assert_held(node, transaction)
        run = site.agent("history", "-o", "json").document["runs"][0]["run_id"]
        with taking_up(site, run) as again:
            again.wait_said("changes that an earlier run started")
            for point in points:
                point.release()
            ended = again.end()
    assert [journalled(transaction)[-1] for transaction in transactions] == ["rolled_back"] * 2
    for node in nodes:
        assert_reported(ended, node.name, "changed")
        assert node.run(_STATES).stdout.split() == ["active", "active"]
        assert node.run(_RUNNING).stdout == running[node.name]
        node.run("docker rm -f one-off")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")
    with order.rolling_back("--accept-restart") as back:
        assert back.end().code == 0
    assert assert_invariants(site, expected) == dict.fromkeys(expected, "old")

"""What others do to a node while its transaction runs: no "changed" for what does not last, no node left down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.faults.wrapper import wrapped
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.site import Ended
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_READ_ONLY = "mount --bind /etc/systemd /etc/systemd && mount -o remount,bind,ro /etc/systemd"
_IS_OVER = "systemctl show -p ActiveState --value harbor-agent-transaction | grep -qx inactive"
_LATER = "/etc/systemd/system/docker.service.d/zz.conf"


def _apply_disturbed(order: Order, step: str, command: str) -> Ended:
    """Apply while a command, which may fail, runs on each node behind a step of its transaction."""
    points = [Failpoint(node, step) for node in order.nodes]
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
            point.node.run(command, check=False)
            point.release()
        return running.end()


@pytest.mark.field("attack-3")
def test_a_read_only_etc_leaves_docker_running_and_the_next_run_rolls_back(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    first, second = (wrapped(node, order.entry, "exit 1") for node in nodes)
    with first, second:
        ended = _apply_disturbed(order, "swapped-1", _READ_ONLY)
        for node in nodes:
            assert_reported(ended, node.name, "rollback_failed", "runs with its earlier arguments")
            assert node.succeeds("docker info")
    again = Order(site=site, nodes=nodes)
    refused = again.apply()
    for node in nodes:
        assert_reported(refused, node.name, "refused")
        node.run("umount /etc/systemd")
    ended = again.apply()
    assert ended.code == 0, ended.stdout
    for node in nodes:
        assert order.entry not in node.run(f"cat {_DROP_IN}").stdout
        assert node.run("ls /run/systemd/system").stdout == ""


@pytest.mark.field("attack-4")
def test_a_change_whose_recovery_cannot_be_removed_is_not_called_changed(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    ended = _apply_disturbed(order, "health", _READ_ONLY)
    for node in nodes:
        # It tries once more to remove all of it before it ends.
        wait_until(lambda: node.succeeds(_IS_OVER), "the transaction has ended", seconds=60)  # noqa: B023
        node.run("umount /etc/systemd")
        assert_reported(ended, node.name, "failed", "could not be removed")
        assert ended.node(node.name)["code"] == "recovery-armed"
    # The next boot of the one keeps the change, the next run on the other removes the unit.
    nodes[0].reboot()
    nodes[0].wait_ready()
    again = order.apply()
    assert again.code == 0, again.stdout
    assert assert_invariants(site, expected, ended, again) == dict.fromkeys(expected, "new")


@pytest.mark.field("attack-5")
@pytest.mark.parametrize("step", ["prepared", "swapped-1", "activating", "health", "committing"])
def test_a_removed_state_directory_does_not_end_the_change(site: FaultSite, step: str) -> None:
    nodes = (site.nodes[1], site.later[2])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    # The command fails if the node restores the directory at the same moment.
    ended = _apply_disturbed(order, step, "rm -rf /var/lib/harbor-agent")
    for node in nodes:
        assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")


@pytest.mark.field("attack-6")
def test_a_stopped_containerd_is_named_and_the_next_run_repairs_the_node(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes, health_deadline=10)
    ended = _apply_disturbed(order, "activating", "kill -STOP $(systemctl show -p MainPID --value containerd)")
    for node in nodes:
        assert_reported(ended, node.name, "rollback_failed", "containerd is stopped by a signal")
        node.run("kill -CONT $(systemctl show -p MainPID --value containerd)")
    again = order.apply()
    assert again.code == 0, again.stdout
    for node in nodes:
        assert_reported(again, node.name, "changed")
        assert order.entry in node.run("docker info").stdout
        # The first transaction keeps its last word if systemd started Docker before the next run.
        node.run(f"rm -rf /var/lib/harbor-agent/transactions/{ended.node(node.name)['transaction']}")


@pytest.mark.field("attack-7")
def test_a_file_rewritten_by_another_hand_is_reported_and_kept(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    order.expect()
    edit = f"sed -i 's/ --insecure-registry={order.entry}//' {_DROP_IN}; systemctl daemon-reload"
    ended = _apply_disturbed(order, "health", edit)
    for node in nodes:
        assert_reported(ended, node.name, "failed", f"{_DROP_IN} was changed while the transaction ran")
        assert order.entry not in node.run(f"cat {_DROP_IN}").stdout
    again = order.apply()
    assert again.code == 0, again.stdout


@pytest.mark.field("attack-8")
def test_a_drop_in_that_appears_before_the_restart_is_reported(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    order.expect()
    ended = _apply_disturbed(
        order, "activating", f"printf '[Service]\\nEnvironment=DOCKER_OPTS=--iptables=false\\n' >{_LATER}"
    )
    for node in nodes:
        node.run(f"rm {_LATER}; systemctl daemon-reload")
        assert_reported(ended, node.name, "failed", _LATER)
        directory = node.root / "var/lib/harbor-agent/transactions" / ended.node(node.name)["transaction"]
        assert journalled(directory)[-1] == "committed"

"""A daemon that does not start with its new configuration gets the old one back, and the report says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.faults.wrapper import wrapped
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")


def test_a_dockerd_that_exits_with_the_new_configuration_has_the_old_one_back(site: FaultSite) -> None:
    nodes = (*site.nodes[:2], *site.later[:2])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    faults = ("echo 'dockerd: cannot start with error 4711' >&2; exit 1", "kill -SEGV $$") * 2
    with ExitStack() as stack:
        for node, fault in zip(nodes, faults, strict=True):
            stack.enter_context(wrapped(node, order.entry, fault))
        ended = order.apply()
    assert ended.code == 1, ended.stderr
    for node, word in zip(nodes, ("4711", "SEGV") * 2, strict=True):
        assert_reported(ended, node.name, "rolled_back", word)
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


_DEPENDENTS = {"kubelet.service": "Requires=docker.service", "cri-dockerd.service": "BindsTo=docker.service"}


@pytest.mark.field("05")
def test_units_that_systemd_stopped_with_docker_run_again(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[2])
    for node in nodes:
        for name, dependency in _DEPENDENTS.items():
            unit = node.root / "etc/systemd/system" / name
            unit.write_text(f"[Unit]\nAfter=docker.service\n{dependency}\n[Service]\nExecStart=/bin/sleep infinity\n")
        node.run(f"systemctl daemon-reload; systemctl start {' '.join(_DEPENDENTS)}")
    order = Order(site=site, nodes=nodes[:1])
    try:
        with wrapped(nodes[0], order.entry, "exit 1"):
            ended = order.apply()
        assert_reported(ended, nodes[0].name, "rolled_back")
        assert "runs as before" in ended.node(nodes[0].name)["hint"]
        assert Order(site=site, nodes=nodes).apply().code == 0
        for node in nodes:
            assert node.succeeds(f"systemctl is-active {' '.join(_DEPENDENTS)}")
        # One that cannot start any more is named, and the node is not called as before.
        (nodes[0].root / "etc/systemd/system/kubelet.service").write_text(
            "[Unit]\nRequires=docker.service\n[Service]\nExecStart=/bin/false\n"
        )
        nodes[0].run("systemctl daemon-reload")
        ended = Order(site=site, nodes=nodes[:1]).apply()
        assert_reported(ended, nodes[0].name, "rollback_failed", "not running again: kubelet.service")
        assert ended.node(nodes[0].name)["code"] == "units-not-running"
        nodes[0].run(f"rm -rf /var/lib/harbor-agent/transactions/{ended.node(nodes[0].name)['transaction']}")
    finally:
        for node in nodes:
            for name in _DEPENDENTS:
                node.run(f"systemctl stop {name}; rm /etc/systemd/system/{name}; systemctl daemon-reload")


def test_a_dockerd_that_hangs_is_given_up_at_the_deadline(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    order = Order(site=site, nodes=nodes, health_deadline=10)
    expected = order.expect()
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(wrapped(node, order.entry, "exec sleep 1000"))
        ended = order.apply()
    assert ended.code == 1, ended.stderr
    for node in nodes:
        assert_reported(ended, node.name, "rolled_back", "not active in time")
        assert ended.node(node.name)["seconds"] > 10
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


@pytest.mark.parametrize("fault", ["process", "power", "reboot"])
def test_the_way_back_is_gone_on_with_after_being_broken_off(site: FaultSite, fault: str) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    points = [Failpoint(node, "restoring") for node in nodes]
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(wrapped(node, order.entry, "exit 1"))
        stack.enter_context(held(*points))
        running = stack.enter_context(order.applying())
        for point in points:
            _break_off(point, fault)
        ended = running.end()
    for node in nodes:
        assert_reported(ended, node.name, "rolled_back")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def _break_off(point: Failpoint, fault: str) -> None:
    """Let the node go on once its way back was broken off where it is held."""
    transaction = point.wait()
    goes_on = partial(wait_until, lambda: journalled(transaction).count("restoring") > 1, "it goes on", seconds=60)
    match fault:
        case "power":
            point.node.power_off()
            point.node.start()
        case "reboot":
            with ThreadPoolExecutor() as pool:
                down = pool.submit(point.node.reboot)
                goes_on()
                point.release()
                down.result()
        case _:
            point.node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
            goes_on()
    point.release()


def test_a_start_limit_that_is_already_hit_stops_nothing(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    hit = "systemctl reset-failed docker; for i in 1 2 3; do systemctl restart docker || exit; done"
    for node in nodes:
        node.run(hit)
        node.wait_ready()
    ended = order.apply()
    for node in nodes:
        assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")
    # The limit is real: without somebody to reset it, a fourth start within the minute is refused.
    for node in nodes:
        node.run(hit)
        assert not node.succeeds("systemctl restart docker")
        node.run("systemctl reset-failed docker; systemctl start docker")


def test_a_node_whose_old_configuration_does_not_start_either_needs_a_person(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(wrapped(node, "", "exit 1"))
        ended = order.apply()
    assert ended.code == 6, ended.stdout
    for node in nodes:
        assert_reported(ended, node.name, "rollback_failed", "and could not be rolled back")
        assert "harbor-agent explain rollback-failed" in ended.node(node.name)["hint"]
        # The person comes: dockerd is mended, the word about it is cleared away, and the same command does it.
        transaction = ended.node(node.name)["transaction"]
        node.run(
            f"rm -rf /var/lib/harbor-agent/transactions/{transaction}; systemctl reset-failed docker docker.socket; "
            "systemctl start docker"
        )
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")
    again = order.apply()
    assert again.code == 0, again.stdout
    assert assert_invariants(site, expected, again) == dict.fromkeys(expected, "new")

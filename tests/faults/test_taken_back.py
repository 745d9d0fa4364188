"""A daemon that does not live with its new configuration gets the old one back, and the report says how that went."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

# In dockerd's place, and not to be told from it where it lets it run. No check beforehand sees it: those are nobody's.
_WRAPPER = """\
#!/bin/bash
[ "$(id -u)" != 0 ] || case "$*" in *--help*) ;; *'{pattern}'*) echo fired >>/var/fault.fired; {fault} ;; esac
exec -a /usr/sbin/dockerd /usr/sbin/dockerd.real "$@"
"""


@contextmanager
def _wrapped(node: LabNode, pattern: str, fault: str) -> Iterator[None]:
    """Let dockerd do `fault` wherever it is started with `pattern` in its arguments; it did so when this returns."""
    program = node.root / "usr/sbin/dockerd"
    program.rename(program.with_name("dockerd.real"))
    program.write_text(_WRAPPER.format(pattern=pattern, fault=fault))
    program.chmod(0o755)
    try:
        yield
        assert (node.root / "var/fault.fired").exists()
    finally:
        program.with_name("dockerd.real").rename(program)
        (node.root / "var/fault.fired").unlink(missing_ok=True)


def test_a_dockerd_that_exits_with_the_new_configuration_has_the_old_one_back(site: Site) -> None:
    nodes = site.nodes[:2]
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    words = "dockerd: cannot start with error 4711"
    with (
        _wrapped(nodes[0], order.entry, f"echo {words!r} >&2; exit 1"),
        _wrapped(nodes[1], order.entry, "kill -SEGV $$"),
    ):
        ended = order.apply()
    assert ended.code == 1, ended.stderr
    assert_reported(ended, nodes[0].name, "rolled_back", "4711")
    assert_reported(ended, nodes[1].name, "rolled_back", "SEGV")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def test_a_dockerd_that_hangs_is_given_up_at_the_deadline(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "begun")
    with _wrapped(node, order.entry, "exec sleep 1000"), held(point), order.applying() as running:
        transaction = point.wait()
        plan = transaction / "plan"
        # Two minutes are long for a test.
        plan.write_text(plan.read_text().replace("\ndeadline 120\n", "\ndeadline 8\n"))
        assert "deadline 8" in plan.read_text()
        point.release()
        ended = running.end()
    assert ended.code == 1, ended.stderr
    assert_reported(ended, node.name, "rolled_back", "not active in time")
    assert assert_invariants(site, expected, ended) == {node.name: "old"}


@pytest.mark.parametrize("fault", ["process", "power"])
def test_the_way_back_is_gone_on_with_after_being_broken_off(site: Site, fault: str) -> None:
    node = site.nodes[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    point = Failpoint(node, "restoring")
    with _wrapped(node, order.entry, "exit 1"), held(point), order.applying() as running:
        transaction = point.wait()
        if fault == "power":
            node.power_off()
            point.release()
            node.start()
        else:
            point.node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
            wait_until(lambda: journalled(transaction).count("restoring") > 1, "it goes on", seconds=30)
            point.release()
        ended = running.end()
    assert_reported(ended, node.name, "rolled_back")
    assert assert_invariants(site, expected, ended) == {node.name: "old"}


def test_a_start_limit_that_is_already_hit_stops_nothing(site: Site) -> None:
    node = site.nodes[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    node.run("systemctl reset-failed docker; for i in 1 2 3; do systemctl restart docker || exit; done")
    node.wait_ready()
    ended = order.apply()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}
    # The limit is real: without somebody to reset it, a fourth start within the minute is refused.
    node.run("systemctl reset-failed docker; for i in 1 2 3; do systemctl restart docker || exit; done")
    assert not node.succeeds("systemctl restart docker")
    node.run("systemctl reset-failed docker; systemctl start docker")


def test_a_node_whose_old_configuration_does_not_start_either_needs_a_person(site: Site) -> None:
    node = site.nodes[0]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    with _wrapped(node, "", "exit 1"):
        ended = order.apply()
    assert ended.code == 6, ended.stdout
    assert_reported(ended, node.name, "rollback_failed")
    assert "taken back" not in ended.node(node.name)["reason"].removeprefix(
        "the change failed and so did taking it back"
    )
    # The person comes: dockerd is mended, the word about it is cleared away, and the same command does it.
    transaction = ended.node(node.name)["transaction"]
    node.run(
        f"rm -rf /var/lib/harbor-agent/transactions/{transaction}; systemctl reset-failed docker docker.socket; "
        "systemctl start docker"
    )
    assert assert_invariants(site, expected, ended) == {node.name: "old"}
    again = order.apply()
    assert_reported(again, node.name, "changed")
    assert assert_invariants(site, expected, again) == {node.name: "new"}

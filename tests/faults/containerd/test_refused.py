"""Before containerd is restarted: a full disk, a file that another program broke, and containers that would end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import CONFIG, assert_invariants, describe, dropped_in, expect, read_outcome
from tests.faults.failpoint import Failpoint, held
from tests.faults.obstacles import FULL, STATE_FULL
from tests.lab import cri

if TYPE_CHECKING:
    from tests.faults.controller import Order
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

_CONFIGS = "/etc/containerd/conf.d"
# containerd's own words: those of 1.6, of 1.7, which names no file for a value of the wrong type, and of 2.1.
_COMPLAINTS = {"preflight": "(2, 2)", "armed": "(3, 3)", "swapped-3": "failed to unmarshal TOML"}
_STARTED = "systemctl show containerd -p ExecMainStartTimestampMonotonic"


def test_a_full_disk(order: Order) -> None:
    full, state_full, later_full = order.nodes
    expected = expect(order)
    point = Failpoint(later_full, "swapped-1")
    cover = "cp -a /etc/containerd /root/kept; mount -t tmpfs -o size=128k,mode=755 small /etc/containerd"
    with ExitStack() as stack:
        stack.enter_context(FULL.on(full, CONFIG))
        stack.enter_context(STATE_FULL.on(state_full, CONFIG))
        # The place for the files gets full only when one of them has been written.
        later_full.run(f"{cover}; cp -a /root/kept/. /etc/containerd")
        stack.callback(later_full.run, "umount /etc/containerd; rm -r /root/kept")
        stack.enter_context(held(point))
        # With consent, because files that were copied to another disk look as if they had been edited.
        running = stack.enter_context(order.applying("--accept-restart"))
        point.wait()
        later_full.run(
            "dd if=/dev/zero of=/etc/containerd/filling bs=1k 2>/dev/null; ! cp /etc/services /etc/containerd/x"
        )
        point.release()
        ended = running.end()
        restored = later_full.run(
            "cd /etc/containerd; rm -f filling x; find . -name '*harbor*'; diff -r . /root/kept",
            check=False,
        )
        assert restored.stdout == "", "the files are as they were on the full disk too"
    assert {node.name: read_outcome(ended, node) for node in order.nodes} == {
        full.name: "refused no-space",
        state_full.name: "refused state-not-writable",
        later_full.name: "rolled_back file-not-writable",
    }, describe(ended)
    assert assert_invariants(order, expected, ended) == dict.fromkeys(expected, "old")


def _import_further_files(node: LabNode) -> None:
    """Let containerd import what is in a directory, and have read that."""
    node.run(
        f"cp -a {CONFIG} /root/config.kept; mkdir {_CONFIGS}; printf 'version = 2\\n' >{_CONFIGS}/10.toml; "
        f"sed -i '1i imports = [\"{_CONFIGS}/*.toml\"]' {CONFIG}; systemctl restart containerd"
    )
    node.wait_ready()


def _import_none(node: LabNode) -> None:
    # The node also keeps a file as it was first seen, and these imports were there at first only here.
    node.run("rm -r /var/lib/harbor-agent")
    node.run(f"rm -r {_CONFIGS}; mv /root/config.kept {CONFIG}; systemctl reset-failed containerd")
    node.run("systemctl restart containerd")
    node.wait_ready()


def test_an_import_that_another_program_breaks(order: Order) -> None:
    broken = {
        "preflight": "[plugins]\\n[plugins]\\n",
        "armed": 'version = 2\\n[plugins."io.containerd.grpc.v1.cri"]\\n  max_container_log_line_size = "long"\\n',
        "swapped-3": "x = [\\n",
    }
    with ExitStack() as stack:
        for node in order.nodes:
            _import_further_files(node)
            stack.callback(_import_none, node)
        expected = expect(order)
        started = {node.name: node.run(_STARTED).stdout for node in order.nodes}
        points = [Failpoint(node, step) for node, step in zip(order.nodes, broken, strict=True)]
        with held(*points), order.applying() as running:
            for point in points:
                point.wait()
                point.node.run(f"printf '{broken[point.step]}' >{_CONFIGS}/20.toml")
                assert not point.node.succeeds("containerd config dump"), "containerd would not start"
                point.release()
            ended = running.end()
        for point in points:
            result = ended.node(point.node.name)
            outcome = "refused" if point.step == "preflight" else "rolled_back"
            assert read_outcome(ended, point.node) == f"{outcome} containerd-rejects-configuration", describe(ended)
            assert f"{_CONFIGS}/20.toml: {_COMPLAINTS[point.step]}" in result["reason"], result
            assert point.node.run(_STARTED).stdout == started[point.node.name], "containerd was not restarted"
        # A plan does not get as far as a transaction.
        refused = order.plan()
        for node in order.nodes:
            result = refused.node(node.name)
            assert (result["status"], result["code"]) == ("refused", "file-invalid"), result
            node.run(f"rm {_CONFIGS}/20.toml")
        assert assert_invariants(order, expected, ended) == dict.fromkeys(expected, "old")


def test_containers_that_would_end_need_consent_and_are_named(order: Order) -> None:
    with ExitStack() as stack:
        for node in order.nodes:
            stack.enter_context(dropped_in(node, "[Service]\nKillMode=control-group\n"))
        expected = {node.name: order.site.files(node) for node in order.nodes}
        ended = order.apply()
        for node in order.nodes:
            assert read_outcome(ended, node) == "refused containers-would-stop", describe(ended)
            assert "KillMode=control-group" in ended.node(node.name)["reason"]
            assert order.site.files(node) == expected[node.name]
        planned, ended = order.plan(), order.apply("--accept-restart")
        for node in order.nodes:
            stopped = [container["name"] for container in planned.node(node.name)["containers_stopped"]]
            assert stopped == ["default/web/main"]
            assert read_outcome(ended, node) == "changed", describe(ended)
            # Without a kubelet nothing starts them again.
            assert "no longer running: " in ended.node(node.name)["reason"]
            assert stopped[0] in ended.node(node.name)["reason"]
            assert cri.list_processes(node) == {}

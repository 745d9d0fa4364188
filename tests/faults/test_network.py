"""Network faults: reset, silence, a dead sshd, a slow line. No transaction depends on the connection."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import cutting_proxy
from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held, is_final, journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.place import FaultSite
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

# For each of six nodes: which connection is reset, and after how many bytes. The first one looks at the node, the
# second carries the change: some 3 kB of agreeing on keys and logging in, then the program; the third carries the pull.
_CUTS = [
    ((1, 10), (1, 1500), (1, 9000), (2, 10), (2, 1500), (2, 2500)),
    ((2, 3500), (2, 4000), (2, 5000), (2, 9000), (2, 15000), (2, 20000)),
    ((2, 25000), (2, 30000), (2, 35000), (2, 40000), (3, 1500), (3, 5000)),
]


@contextmanager
def _cutting(site: FaultSite, node: LabNode, which: int, limit: int, report: Path) -> Iterator[dict[str, str]]:
    """Run the proxy before `node`; yields the inventory variables that lead through it."""
    words = (node.address, "22", str(which), str(limit), str(report))
    script = [sys.executable, str(Path(cutting_proxy.__file__)), *words]
    with subprocess.Popen(site.lab.network.inside(script), stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout
        port = proxy.stdout.readline().strip()
        known = site.lab.folder / f"known_hosts.{port}"
        key = " ".join((site.lab.folder / "hostkey.pub").read_text().split()[:2])
        known.write_text(f"[127.0.0.1]:{port} {key}\n")
        try:
            yield {
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}",
            }
        finally:
            proxy.kill()


@pytest.mark.parametrize("cuts", _CUTS, ids=lambda cuts: ",".join(f"{which}:{limit}" for which, limit in cuts))
def test_connections_that_are_reset_leave_old_or_new(
    site: FaultSite, cuts: Sequence[tuple[int, int]], tmp_path: Path
) -> None:
    nodes = site.all_nodes
    direct = Order(site=site, nodes=nodes)
    expected = direct.expect()
    with ExitStack() as stack:
        own = {
            node.name: stack.enter_context(_cutting(site, node, which, limit, tmp_path / node.name))
            for node, (which, limit) in zip(nodes, cuts, strict=True)
        }
        ended = Order(site=site, nodes=nodes, entry=direct.entry, own=own).apply()
    assert [(tmp_path / node.name).read_text() for node in nodes] == ["cut\n"] * len(nodes)
    found = assert_invariants(site, expected, ended)
    for node, (which, _) in zip(nodes, cuts, strict=True):
        result = ended.node(node.name)
        outcome = result["outcome"]
        assert outcome in ({"changed"} if which == 3 else {"unreachable", "failed", "changed"}), ended.stdout
        assert_reported(ended, node.name, outcome)
        assert found[node.name] == ("new" if outcome == "changed" else "old")
        if which == 3:
            assert (result["verified"], result["code"]) == (False, "pull-failed")


def test_nodes_that_fall_silent_during_the_restart_end_by_themselves(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    points = [Failpoint(node, "activating") for node in nodes]
    with held(*points), order.applying() as running:
        transactions = [point.wait() for point in points]
        with site.lab.silenced(nodes[0]), site.lab.silenced(nodes[1]):
            for point in points:
                point.release()
            for transaction in transactions:
                wait_until(lambda: is_final(transaction), "the node has ended by itself", seconds=60)  # noqa: B023
                assert journalled(transaction)[-1] == "committed"
            assert running.process.poll() is None
        ended = running.end()
    for node in nodes:
        assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")


@pytest.mark.parametrize("transport", ["ssh", "ansible"])
def test_killed_sshds_lose_the_connection_and_not_the_outcome(site: FaultSite, transport: str) -> None:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    points = [Failpoint(node, "activating") for node in site.all_nodes]
    with held(*points), order.applying("--transport", transport) as running:
        for point in points:
            point.wait()
            point.node.end_connections()
            point.release()
        ended = running.end()
    assert ended.code == 0, ended.stdout + ended.stderr
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "new")


def test_a_slow_node_and_a_dead_one_do_not_hold_up_the_others(site: FaultSite) -> None:
    slow, dead, quick = site.nodes
    order = Order(site=site, nodes=site.nodes)
    expected = order.expect()
    shaping = ["ip", "netns", "exec", slow.machine, "tc", "qdisc"]
    shaped = [*shaping, "replace", "dev", "host0", "root", "tbf", "rate", "100kbit", "burst", "5kb", "latency", "400ms"]
    done = subprocess.run(shaped, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this kernel does not shape traffic: {done.stderr.strip()}")
    with site.lab.silenced(dead), order.applying() as running:
        ended = running.end()
    subprocess.run([*shaping, "del", "dev", "host0", "root"], check=True)
    assert_reported(ended, dead.name, "unreachable")
    for node in (slow, quick):
        assert_reported(ended, node.name, "changed")
    assert ended.node(quick.name)["seconds"] < ended.node(slow.name)["seconds"]
    assert assert_invariants(site, expected, ended) == {slow.name: "new", dead.name: "old", quick.name: "new"}


def test_an_api_server_that_is_down_takes_nothing_from_the_nodes(site: FaultSite) -> None:
    node = site.nodes[2]
    kubeconfig = site.lab.folder / "kubeconfig.down"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "down",
        "clusters": [{"name": "down", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "down", "user": {"token": "unused"}}],
        "contexts": [{"name": "down", "context": {"cluster": "down", "user": "down"}}],
    }
    kubeconfig.write_text(json.dumps(document))
    kubeconfig.chmod(0o600)
    order = Order(site=site, nodes=[node], kubeconfig=kubeconfig)
    expected = order.expect()
    ended = order.apply()
    assert ended.code == 1, ended.stderr
    assert_reported(ended, node.name, "changed")
    secret = json.dumps(ended.document["secret"])
    assert "harbor-pull" in secret
    assert "cluster-unreachable" in secret
    assert assert_invariants(site, expected, ended) == {node.name: "new"}

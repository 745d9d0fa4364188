"""Obstacles on a node are found before anything is changed, and named."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_invariants, assert_reported
from tests.faults.obstacles import FULL, NO_INODES, PINNED, READ_ONLY, STATE_FULL

if TYPE_CHECKING:
    from tests.faults.obstacles import Obstacle
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_DAEMON_JSON = "/etc/docker/daemon.json"
_STATE = "/var/lib/harbor-agent"


@pytest.mark.parametrize(
    "obstacles",
    [
        (READ_ONLY, PINNED, FULL, STATE_FULL, NO_INODES, READ_ONLY),
        (STATE_FULL, NO_INODES, READ_ONLY, PINNED, FULL, STATE_FULL),
    ],
    ids=lambda obstacles: ",".join(obstacle.code for obstacle in obstacles),
)
def test_a_place_that_cannot_be_written_is_found_before_anything_changes(
    site: FaultSite, obstacles: tuple[Obstacle, ...]
) -> None:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    with ExitStack() as stack:
        for node, obstacle in zip(site.all_nodes, obstacles, strict=True):
            (file,) = expected[node.name].files
            stack.enter_context(obstacle.on(node, file))
        ended = order.apply()
    for node, obstacle in zip(site.all_nodes, obstacles, strict=True):
        assert_reported(ended, node.name, "refused")
        assert ended.node(node.name)["code"] == obstacle.code
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def test_a_daemon_json_that_the_next_start_would_not_survive_is_refused(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    both = Order(site=site, nodes=nodes)
    # dockerd 26 reads past a byte order mark.
    earlier = Order(site=site, nodes=nodes[:1], entry=both.entry)
    expected = both.expect()
    runs = []
    for text, word, order in (
        ('{"insecure-registries": ["a.lan"]}', "insecure-registr", both),
        ('{"hosts": ["fd://"]}', "hosts", both),
        ("{ broken", "daemon.json", both),
        ('\ufeff{"debug": false}', "daemon.json", earlier),
    ):
        for node in order.nodes:
            file = node.root / _DAEMON_JSON.lstrip("/")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        ended = order.apply()
        assert ended.code == 5, (text, ended.stdout)
        for node in order.nodes:
            assert_reported(ended, node.name, "refused", word)
            (node.root / _DAEMON_JSON.lstrip("/")).unlink()
        runs.append(ended)
    assert assert_invariants(site, expected, *runs) == dict.fromkeys(expected, "old")


def test_an_argument_that_dockerd_does_not_know_is_refused(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    files = [node.root / _DROP_IN.lstrip("/") for node in nodes]
    texts = [file.read_text() for file in files]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text.replace("--iptables=false", "--iptables=false --no-such-flag"))
        assert "--no-such-flag" in file.read_text()
    ended = order.apply()
    for node, file, text in zip(nodes, files, texts, strict=True):
        file.write_text(text)
        node.run("systemctl daemon-reload")
    assert ended.code == 5, ended.stdout
    for node in nodes:
        assert_reported(ended, node.name, "refused", "no-such-flag")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def test_nodes_without_containerd_are_refused(site: FaultSite) -> None:
    nodes = (site.nodes[2], site.later[2])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    points = [Failpoint(node, "preflight") for node in nodes]
    # It goes down between the look at the node and the change.
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
            kill = "systemctl stop --no-block containerd; systemctl kill --signal=KILL containerd"
            point.node.run(kill, check=False)
            assert not point.node.succeeds("systemctl is-active containerd")
            point.release()
        ended = running.end()
    for node in nodes:
        node.run("systemctl start containerd docker")
        assert_reported(ended, node.name, "refused", "containerd")
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


def test_a_link_is_refused_and_what_it_leads_to_is_left_alone(site: FaultSite) -> None:
    node = site.nodes[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    node.run(f"mv {_DROP_IN} /root/elsewhere && ln -s /root/elsewhere {_DROP_IN}")
    text = (node.root / "root/elsewhere").read_text()
    ended = order.apply()
    assert (node.root / "root/elsewhere").read_text() == text
    node.run(f"mv -T /root/elsewhere {_DROP_IN}")
    assert_reported(ended, node.name, "refused", "link")
    assert assert_invariants(site, expected, ended) == {node.name: "old"}


def test_a_place_for_backups_that_is_a_link_is_refused(site: FaultSite) -> None:
    node = site.later[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    everything = "find /root/elsewhere -printf '%p %y %m %U %s %T@\\n'"
    node.run(f"mv {_STATE} /root/elsewhere && ln -s /root/elsewhere {_STATE}")
    before = node.run(everything).stdout
    ended = order.apply()
    assert node.run(everything).stdout == before
    node.run(f"rm {_STATE} && mv /root/elsewhere {_STATE}")
    assert_reported(ended, node.name, "refused", "symbolic link")
    assert ended.node(node.name)["code"] == "state-not-writable"
    assert assert_invariants(site, expected, ended) == {node.name: "old"}


def test_a_file_that_moves_before_the_swap_makes_the_plan_stale(site: FaultSite) -> None:
    node = site.nodes[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    drop_in = node.root / _DROP_IN.lstrip("/")
    text = drop_in.read_text()
    point = Failpoint(node, "preflight")
    with held(point), order.applying() as running:
        point.wait()
        drop_in.write_text(f"{text}# somebody was here\n")
        point.release()
        ended = running.end()
    assert drop_in.read_text().endswith("# somebody was here\n")
    drop_in.write_text(text)
    node.run("systemctl daemon-reload")
    assert_reported(ended, node.name, "refused", _DROP_IN)
    assert ended.node(node.name)["code"] == "plan-stale"
    assert assert_invariants(site, expected, ended) == {node.name: "old"}


def test_a_plan_file_is_not_carried_out_on_a_node_that_has_changed(site: FaultSite) -> None:
    node = site.nodes[1]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    kept = site.lab.folder / "stale.plan"
    planned = site.agent(*order.arguments("plan", "--out", str(kept)))
    assert planned.code == 0, planned.stderr
    drop_in = node.root / _DROP_IN.lstrip("/")
    text = drop_in.read_text()
    drop_in.write_text(f"{text}# somebody was here\n")
    try:
        ended = site.agent("apply", kept, "--allow-unreachable-registry", "--yes", "-o", "json")
    finally:
        drop_in.write_text(text)
        node.run("systemctl daemon-reload")
    assert ended.code == 5, ended.stdout + ended.stderr
    assert_reported(ended, node.name, "refused")
    assert assert_invariants(site, expected, ended) == {node.name: "old"}

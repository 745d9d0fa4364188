"""apply --drain on real nodes: a node is empty while its daemon restarts, and works as before afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.kubernetes.nodes import CORDONED_BY
from tests.e2e.site import PULLER
from tests.lab.kubelet import add_budget, add_node, add_pod, pods_on, running_kubelet

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes", "apiserver")

_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened: `seen` is how each node looked in the cluster at the moment when its dockerd had ended."""

    site: Site
    api: RunningApiServer
    seen: dict[str, tuple[bool, set[str]]]
    kept: dict[str, set[str]]
    apply: Ended
    second: Ended
    rollback: Ended


@pytest.fixture(scope="module")
def story(fresh_site: Site, apiserver: RunningApiServer) -> Story:
    site = fresh_site
    apiserver.create_namespace("drain", "default")
    kept: dict[str, set[str]] = {}
    seen: dict[str, tuple[bool, set[str]]] = {}
    with ExitStack() as stack:
        for node in site.nodes:
            # node1 is cordoned by somebody, so it must not be the first
            add_node(apiserver, node.name, address=node.address, boot_id=_boot_id(node), cordoned=node is site.nodes[0])
            add_pod(apiserver, node.name, f"web-{node.name}", namespace="drain")
            agent = add_pod(apiserver, node.name, f"agent-{node.name}", namespace="drain", controller="DaemonSet")
            kept[node.name] = {agent}
            stack.enter_context(running_kubelet(apiserver, node.name, lease=True))
        watchers = [threading.Thread(target=_watch, args=(apiserver, node, seen)) for node in site.nodes[:2]]
        for watcher in watchers:
            watcher.start()
        inventory = site.lab.write_inventory("drain.ini", nodes=site.nodes)
        run = ("-i", inventory, "-c", site.settings(apiserver, "drain"), "--yes", "--drain", "-o", "json")
        apply = site.agent("apply", *run)
        for watcher in watchers:
            watcher.join(timeout=60)
        # a run that was killed left this behind
        cordon = {"spec": {"unschedulable": True}, "metadata": {"annotations": {CORDONED_BY: "killed-run"}}}
        apiserver.ask("PATCH", f"/api/v1/nodes/{site.nodes[1].name}", cordon, kind=_MERGE)
        second = site.agent("apply", *run)
        rollback = site.agent("rollback", "--node", site.nodes[1].name, *run)
    return Story(site=site, api=apiserver, seen=seen, kept=kept, apply=apply, second=second, rollback=rollback)


def _boot_id(node: LabNode) -> str:
    return node.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()


def _main_pid(node: LabNode) -> str:
    return node.run("systemctl show -p MainPID --value docker").stdout.strip()


def _watch(api: RunningApiServer, node: LabNode, seen: dict[str, tuple[bool, set[str]]]) -> None:
    """Note how the cluster sees the node as soon as dockerd is no longer the process that it was."""
    waited = node.run(
        "timeout 100 tail -s 0.05 -f /dev/null --pid=$(systemctl show -p MainPID --value docker)", check=False
    )
    if waited.returncode == 0:
        found = api.ask("GET", f"/api/v1/nodes/{node.name}")
        seen[node.name] = (bool(found["spec"].get("unschedulable")), pods_on(api, node.name))


def _cordoned(story: Story, node: LabNode) -> bool:
    return bool(story.api.ask("GET", f"/api/v1/nodes/{node.name}")["spec"].get("unschedulable"))


def test_every_node_is_changed_and_proved(story: Story) -> None:
    assert story.apply.code == 0, story.apply.stderr
    outcomes = {
        node["node"]: (node["outcome"], node["action"], node["verified"]) for node in story.apply.document["nodes"]
    }
    assert outcomes == {
        "node1": ("changed", "restart", True),
        "node2": ("changed", "restart", True),
        "node3": ("changed", "reload", True),
    }
    assert story.apply.document["warnings"] == []


def test_dockerd_restarts_on_a_node_that_is_cordoned_and_empty(story: Story) -> None:
    assert story.seen == {name: (True, story.kept[name]) for name in ("node1", "node2")}


def test_a_node_that_only_reloads_keeps_its_pods(story: Story) -> None:
    node = story.site.nodes[2]
    assert pods_on(story.api, node.name) == {*story.kept[node.name], f"drain/web-{node.name}"}
    assert f"{node.name}: cordoned" not in story.apply.stderr


def test_the_node_that_somebody_cordoned_is_not_the_first_and_stays_cordoned(story: Story) -> None:
    first, *others = story.site.nodes
    order = [line.split()[1].rstrip(",") for line in story.apply.stderr.splitlines() if line.startswith("change ")]
    assert order[0] != first.name
    assert _cordoned(story, first)
    assert [_cordoned(story, node) for node in others] == [False, False]


def test_the_next_run_uncordons_what_a_killed_one_left(story: Story) -> None:
    assert story.second.code == 0, story.second.stderr
    assert story.second.document["summary"]["unchanged"] == 3
    node = story.api.ask("GET", f"/api/v1/nodes/{story.site.nodes[1].name}")
    assert not node["spec"].get("unschedulable")
    assert CORDONED_BY not in node["metadata"].get("annotations", {})


def test_the_way_back_is_drained_too(story: Story) -> None:
    node = story.site.nodes[1]
    assert story.rollback.code == 0, story.rollback.stderr
    assert story.rollback.node(node.name)["outcome"] == "changed"
    assert f"{node.name}: cordoned" in story.rollback.stderr
    assert not _cordoned(story, node)


def test_an_interrupt_while_pods_are_waited_for_leaves_the_node_as_it_was(story: Story) -> None:
    site, node = story.site, story.site.nodes[1]
    add_pod(story.api, node.name, "kept", namespace="drain")
    add_budget(story.api, "kept", allowed=0, namespace="drain")
    dockerd = _main_pid(node)
    inventory = site.lab.write_inventory("interrupt.ini", nodes=[node])
    settings = site.settings(story.api, "drain")
    running = subprocess.Popen(
        site.lab.network.inside(
            (
                str(Path(sys.executable).with_name("harbor-agent")),
                *("apply", "-i", str(inventory), "-c", str(settings), "--yes", "--drain", "-o", "json"),
            )
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=site.lab.home,
        env={**os.environ, **site.lab.environment, "HARBOR_PASSWORD": PULLER.password},
    )
    assert running.stderr
    told: list[str] = []
    while not any("cordoned, 1 pods to evict" in line for line in told):
        told.append(running.stderr.readline().decode())
        assert told[-1], f"it ended before the node was cordoned: {told}"
    assert _cordoned(story, node)
    running.send_signal(signal.SIGINT)
    stdout, _ = running.communicate(timeout=120)
    document = json.loads(stdout)
    assert running.returncode == document["exit_code"] == 130
    assert [(one["node"], one["outcome"]) for one in document["nodes"]] == [(node.name, "skipped")]
    assert not _cordoned(story, node)
    assert _main_pid(node) == dockerd
    assert "drain/kept" in pods_on(story.api, node.name)

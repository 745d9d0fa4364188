"""Nodes whose runtime is containerd: trusted, proven over CRI, corrected and as before again, on each version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.containerd.place import LOGIN, assert_no_node_pulls, list_everything, run
from tests.e2e.site import PULLER
from tests.lab import cri

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.site import Site

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

# What containerd says to the proof if a change did not take effect.
_STILL_HTTPS = b"""#!/bin/sh
case $1 in --version) echo HTTP2; exit ;; esac
cat >/dev/null
printf 'grpc-status: 2\r\ngrpc-message: failed to do request: Head "https://10.99.0.1:5000/v2/": refused\r\n'
"""


def test_a_registry_is_trusted_kept_and_taken_away_again(site: Site) -> None:
    lab = site.lab
    pods = [cri.list_processes(node) for node in lab.nodes]
    files = [site.files(node) for node in lab.nodes]
    assert_no_node_pulls(site)

    applied = run(site, "apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    outcomes = [(node["outcome"], node["verified"]) for node in applied.document["nodes"]]
    assert outcomes == [("changed", True)] * len(lab.nodes)
    for node in lab.nodes:
        cri.pull(node, site.image, LOGIN)
        cri.remove_image(node, site.image)
    assert [cri.list_processes(node) for node in lab.nodes] == pods, "a restart of containerd leaves pods alone"

    again = run(site, "plan", "--exit-code")
    assert again.code == 0, again.stdout
    assert run(site, "drift").code == 0

    hosts = f"/etc/containerd/certs.d/{site.registry.entry}/hosts.toml"
    lab.nodes[0].run(f"rm {hosts}")
    drifted = run(site, "drift", "-o", "json")
    assert drifted.code != 0
    assert run(site, "drift", "--correct", "--yes").code == 0
    cri.pull(lab.nodes[0], site.image, LOGIN)
    cri.remove_image(lab.nodes[0], site.image)

    rolled_back = run(site, "rollback", "--pristine", "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert_no_node_pulls(site)
    assert [site.files(node) for node in lab.nodes] == files
    assert [cri.list_processes(node) for node in lab.nodes] == pods
    assert PULLER.password not in "".join(
        ended.stdout + ended.stderr for ended in (applied, again, drifted, rolled_back)
    )


def test_every_file_is_as_before_once_the_registry_is_removed(site: Site) -> None:
    """Also those of a node without a configuration file, where containerd then has its defaults again."""
    lab = site.lab
    bare = lab.nodes[-1]
    bare.run("mv /etc/containerd/config.toml /root; systemctl restart containerd")
    bare.wait_ready()
    before = [list_everything(site, node) for node in lab.nodes]
    assert run(site, "apply", "--yes").code == 0
    removed = site.agent(
        "apply", "-i", lab.write_inventory(), "--registry", site.registry.entry, "--absent", "--yes", "-o", "json"
    )
    assert removed.code == 0, removed.stdout + removed.stderr
    assert [node["outcome"] for node in removed.document["nodes"]] == ["changed"] * len(lab.nodes)
    assert_no_node_pulls(site)
    assert [list_everything(site, node) for node in lab.nodes] == before
    bare.run("mv /root/config.toml /etc/containerd; systemctl restart containerd")
    bare.wait_ready()


def test_plan_files_resume_history_metrics_and_ansible(site: Site, tmp_path: Path) -> None:
    """What does not depend on the runtime works for this one too."""
    nodes, settings = site.lab.nodes[:3], site.settings(None, "")
    inventory = ("-i", site.lab.write_inventory(nodes=nodes), "-c", settings)
    before = [list_everything(site, node) for node in nodes]
    plan_file, metrics = tmp_path / "change.plan", tmp_path / "drift.prom"
    planned = site.agent("plan", *inventory, "--out", plan_file, "-v")
    assert planned.code == 0, planned.stderr
    assert "runtime: containerd, because no kubelet and no other runtime was found" in planned.stdout

    nodes[0].run(
        "mv /usr/bin/curl /usr/bin/curl.real && cat >/usr/bin/curl && chmod 755 /usr/bin/curl", stdin=_STILL_HTTPS
    )
    halted = site.agent("apply", plan_file, "--yes", "-o", "json")
    nodes[0].run("mv /usr/bin/curl.real /usr/bin/curl")
    assert halted.document["nodes"][0]["code"] == "registry-not-live"
    assert [node["outcome"] for node in halted.document["nodes"]] == ["rolled_back", "skipped", "skipped"]
    resumed = site.agent("apply", "--resume", halted.document["run_id"], "--yes", "-o", "json")
    assert resumed.code == 0, resumed.stdout + resumed.stderr
    assert [node["verified"] for node in resumed.document["nodes"]] == [True, True, True]

    runs = site.agent("history", "-o", "json").document["runs"]
    assert [run["run_id"] for run in runs[:2]] == [resumed.document["run_id"], halted.document["run_id"]]
    assert site.agent("drift", *inventory, "--metrics", metrics).code == 0
    in_sync = re.findall(r'^harbor_agent_drift_node_status\{.*"in_sync"\} 1\.0$', metrics.read_text(), re.MULTILINE)
    assert ['runtime="containerd"' in line for line in in_sync] == [True] * len(nodes)

    rolled_back = site.agent("rollback", resumed.document["run_id"], *inventory, "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert [list_everything(site, node) for node in nodes] == before

    through_ansible = site.agent("apply", *inventory, "--transport", "ansible", "--yes", "-o", "json")
    assert [node["verified"] for node in through_ansible.document["nodes"]] == [True] * len(nodes)
    assert site.agent("rollback", "--pristine", *inventory, "--transport", "ansible", "--yes").code == 0
    assert [list_everything(site, node) for node in nodes] == before

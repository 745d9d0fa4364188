"""Nodes with containerd through Ansible: as a transport of harbor-agent, and as a playbook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.containerd.place import LOGIN, list_everything, run
from tests.e2e.playbook import playbook
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]


def _without_times(ended: Ended) -> str:
    return re.sub(r'"seconds": [0-9.]+', "", ended.stdout)


def _count_changed(stdout: str) -> list[str]:
    return [line.split()[3] for line in stdout.splitlines() if line.startswith("node")]


def test_a_playbook_plans_changes_proves_and_has_nothing_left_to_do(site: Site) -> None:
    """One node for which hosts.toml suffices and one that is restarted, of different versions."""
    nodes = (site.lab.nodes[1], site.lab.nodes[len(CONTAINERD_VERSIONS) + 2])
    inventory, settings = site.lab.write_inventory(nodes=nodes), site.settings(None, "")
    before, pods = [list_everything(site, node) for node in nodes], [cri.list_processes(node) for node in nodes]

    planned = run(site, "plan", "-o", "json", nodes=nodes)
    assert [node["action"] for node in planned.document["nodes"]] == ["none", "restart"]
    through_ansible = run(site, "plan", "-o", "json", "--transport", "ansible", nodes=nodes)
    assert _without_times(through_ansible) == _without_times(planned)
    dry = playbook(site, inventory, settings, "--check", "--diff")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert _count_changed(dry.stdout) == ["changed=1", "changed=1"]
    for file in (file for node in planned.document["nodes"] for file in node["files"]):
        assert file["diff"] in dry.stdout
    assert [list_everything(site, node) for node in nodes] == before

    changed = playbook(site, inventory, settings, "--diff")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert _count_changed(changed.stdout) == ["changed=1", "changed=1"]
    assert "Verify the changed node again" in changed.stdout
    for node in nodes:
        cri.pull(node, site.image, LOGIN)
        cri.remove_image(node, site.image)
    again = playbook(site, inventory, settings)
    assert (again.returncode, _count_changed(again.stdout)) == (0, ["changed=0", "changed=0"]), again.stdout
    for command in ("verify", "drift"):
        ended = run(site, command, "--transport", "ansible", nodes=nodes)
        assert ended.code == 0, ended.stdout + ended.stderr

    node = nodes[0]
    node.run(f"rm /etc/containerd/certs.d/{site.registry.entry}/hosts.toml")
    corrected = run(site, "drift", "--correct", "--yes", "--transport", "ansible", nodes=nodes)
    assert corrected.code == 0, corrected.stdout + corrected.stderr
    cri.pull(node, site.image, LOGIN)
    cri.remove_image(node, site.image)
    assert run(site, "rollback", "--pristine", "--yes", "--transport", "ansible", nodes=nodes).code == 0
    assert [list_everything(site, node) for node in nodes] == before
    assert [cri.list_processes(node) for node in nodes] == pods

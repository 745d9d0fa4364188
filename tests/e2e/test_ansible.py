"""The same plans and guarantees through Ansible: as a transport of harbor-agent, and as a playbook."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources
from tests.e2e.site import PULLER

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.site import Ended, Site

pytestmark = pytest.mark.needs("nodes")

_BIN = Path(sys.executable).parent
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"


@pytest.fixture(scope="module")
def inventory(fresh_site: Site) -> Path:
    return fresh_site.lab.write_inventory(nodes=fresh_site.nodes)


@pytest.fixture(scope="module")
def settings(fresh_site: Site) -> Path:
    return fresh_site.settings(None, "")


def playbook(site: Site, inventory: Path, settings: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook as somebody would who never starts harbor-agent."""
    argv = [
        str(_BIN / "ansible-playbook"),
        *("-i", str(inventory), str(resources.find_playbook("site.yml"))),
        *("-e", json.dumps({"harbor_agent_config": str(settings)})),
        *arguments,
    ]
    environment = {
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "HARBOR_PASSWORD": PULLER.password,
    }
    return site.lab.run(argv, cwd=site.lab.home, env=environment)


def plan(site: Site, inventory: Path, settings: Path, transport: str) -> Ended:
    return site.agent("plan", "-i", inventory, "-c", settings, "--transport", transport, "-o", "json")


def without_times(text: str) -> str:
    return re.sub(r'"seconds": [0-9.]+', "", text)


def test_no_node_has_python(fresh_site: Site) -> None:
    assert not [node.name for node in fresh_site.nodes if node.succeeds("command -v python3 || command -v python")]


def test_the_plan_is_the_same_byte_for_byte(fresh_site: Site, inventory: Path, settings: Path) -> None:
    over_ssh = plan(fresh_site, inventory, settings, "ssh")
    through_ansible = plan(fresh_site, inventory, settings, "ansible")

    assert without_times(through_ansible.stdout) == without_times(over_ssh.stdout)
    assert {node["status"] for node in through_ansible.document["nodes"]} == {"change"}


def test_a_dry_run_of_the_playbook_shows_the_very_same_diffs(fresh_site: Site, inventory: Path, settings: Path) -> None:
    files = [fresh_site.files(node) for node in fresh_site.nodes]
    planned = plan(fresh_site, inventory, settings, "ssh").document

    dry = playbook(fresh_site, inventory, settings, "--check", "--diff")

    assert dry.returncode == 0, dry.stdout + dry.stderr
    for node in planned["nodes"]:
        assert f"changed: [{node['node']}]" in dry.stdout
        for file in node["files"]:
            assert file["diff"] in dry.stdout
    assert [fresh_site.files(node) for node in fresh_site.nodes] == files


def test_one_command_through_ansible_changes_and_proves(fresh_site: Site, inventory: Path, settings: Path) -> None:
    run = ("-i", inventory, "-c", settings, "--transport", "ansible", "-o", "json")

    applied = fresh_site.agent("apply", *run, "--yes", "--limit", "node1")
    again = fresh_site.agent("plan", *run, "--exit-code", "--limit", "node1")
    verified = fresh_site.agent("verify", *run, "--limit", "node1")

    assert applied.code == 0, applied.stderr
    assert (applied.node("node1")["outcome"], applied.node("node1")["verified"]) == ("changed", True)
    assert (again.code, again.node("node1")["status"]) == (0, "unchanged")
    assert (verified.code, verified.node("node1")["verified"]) == (0, True)


def test_the_playbook_changes_proves_and_then_has_nothing_to_do(
    fresh_site: Site, inventory: Path, settings: Path
) -> None:
    first = playbook(fresh_site, inventory, settings, "--diff")
    second = playbook(fresh_site, inventory, settings)
    over_ssh = fresh_site.agent("plan", "-i", inventory, "-c", settings, "--exit-code", "-o", "json")

    assert first.returncode == 0, first.stdout + first.stderr
    # node1 was changed by the test before.
    assert [line.split()[3] for line in first.stdout.splitlines() if line.startswith("node")] == [
        "changed=0",
        "changed=1",
        "changed=1",
    ]
    assert "Verify the changed node again" in first.stdout
    assert second.returncode == 0
    assert "changed=1" not in second.stdout
    assert over_ssh.code == 0
    for node in fresh_site.nodes:
        assert fresh_site.pull(node).returncode == 0
        assert node.succeeds("test -f /var/lib/harbor-agent/record/docker.json")


def test_a_password_that_does_not_become_root_stops_the_playbook_before_anything(
    fresh_site: Site, settings: Path
) -> None:
    node = fresh_site.nodes[0]
    wrong = fresh_site.lab.write_inventory(
        "wrong.ini", user="opspw", nodes=[node], variables={"ansible_become_password": "wrong"}
    )

    stopped = playbook(fresh_site, wrong, settings)

    assert stopped.returncode != 0
    assert "become-password-wrong" in stopped.stdout
    assert "wrong.ini" not in stopped.stdout
    through_ansible = plan(fresh_site, wrong, settings, "ansible")
    over_ssh = plan(fresh_site, wrong, settings, "ssh")
    assert (through_ansible.code, through_ansible.node("node1")["code"]) == (4, "become-password-wrong")
    assert (over_ssh.code, over_ssh.node("node1")["code"]) == (4, "become-password-wrong")


def test_the_playbook_takes_the_registries_from_the_command_line(fresh_site: Site, inventory: Path) -> None:
    empty = fresh_site.lab.folder / "empty.yaml"
    empty.write_text("{}\n")

    dry = playbook(fresh_site, inventory, empty, "--check", "--diff", "-e", '{"harbor_registries": ["10.9.8.7:8080"]}')

    assert dry.returncode == 0, dry.stdout
    assert dry.stdout.count("10.9.8.7:8080") >= len(fresh_site.nodes)


def test_a_typing_error_is_told_with_the_host_and_the_way_out(
    fresh_site: Site, inventory: Path, settings: Path
) -> None:
    stopped = playbook(fresh_site, inventory, settings, "--check", "-e", '{"harbor_registry": "10.9.8.7"}')

    assert stopped.returncode != 0
    assert "did you mean 'harbor_registries'?" in stopped.stdout


@pytest.mark.field("words")
def test_the_playbook_restarts_no_node_for_a_registry_that_none_reaches(fresh_site: Site, inventory: Path) -> None:
    nowhere = fresh_site.lab.folder / "nowhere.yaml"
    nowhere.write_text(json.dumps({"registries": [f"{fresh_site.lab.address}:5998"]}))
    started = [node.run("systemctl show -p MainPID docker").stdout for node in fresh_site.nodes]
    with_dead = fresh_site.lab.folder / "with-dead.ini"
    with_dead.write_text(inventory.read_text() + "\n[dead]\nnode9 ansible_host=10.99.0.254\n")

    stopped = playbook(fresh_site, inventory, nowhere)
    unreachable = playbook(fresh_site, with_dead, nowhere, "-e", "ansible_timeout=3")
    allowed = ("-e", "harbor_agent_allow_unreachable_registry=true", "--check")
    dry = playbook(fresh_site, inventory, nowhere, *allowed)
    warned = playbook(fresh_site, inventory, nowhere, "--check")

    for ended in (stopped, unreachable):
        assert ended.returncode != 0
        assert "[registry-not-reached]" in ended.stdout, ended.stdout + ended.stderr
    assert "harbor_agent_allow_unreachable_registry" in stopped.stdout
    assert [node.run("systemctl show -p MainPID docker").stdout for node in fresh_site.nodes] == started
    assert dry.returncode == warned.returncode == 0
    assert "registry-not-reached" in warned.stdout + warned.stderr
    assert "registry-not-reached" not in dry.stdout + dry.stderr

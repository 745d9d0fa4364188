"""The same plans and guarantees through Ansible: as a transport of harbor-agent, and as a playbook."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.playbook import environment, playbook
from tests.lab.images import busybox_root
from tests.shipping.collection import BIN, NAME, install_collection
from tests.transport.sshd import make_key

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.site import Ended, Site

pytestmark = pytest.mark.needs("nodes")

_DAEMON_JSON = "/etc/docker/daemon.json"
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"


@pytest.fixture(scope="module")
def inventory(fresh_site: Site) -> Path:
    first = fresh_site.nodes[0]
    first.load_image("busybox:lab", busybox_root(first.base))
    first.start_container("web", "busybox:lab", restart="always")
    return fresh_site.lab.write_inventory(nodes=fresh_site.nodes)


@pytest.fixture(scope="module")
def settings(fresh_site: Site) -> Path:
    return fresh_site.settings(None, "")


@pytest.fixture(scope="module")
def collection(fresh_site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the collection, which is installed in the home of the controller."""
    place = fresh_site.lab.home / ".ansible"
    place.mkdir(exist_ok=True)
    (place / "collections").symlink_to(install_collection(tmp_path_factory.mktemp("collection")))
    return NAME


def read_results(ended: subprocess.CompletedProcess[str], task: str) -> dict[str, Any]:
    """Return the results that Ansible printed of a task, by host."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    blocks = [block for block in ended.stdout.split("\nTASK [")[1:] if f": {task}] *" in block.partition("\n")[0]]
    found = [
        match
        for block in blocks
        for match in re.finditer(r"^\w+: \[(\S+)\] => (\{.*?^\})", block, re.MULTILINE | re.DOTALL)
    ]
    return {match[1]: json.loads(match[2]) for match in found}


def write_play(site: Site, **keywords: object) -> Path:
    """Write a play as a user has it; return its path."""
    play = site.lab.folder / "play.yml"
    play.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, **keywords}]))
    return play


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


def test_reasons_and_stopped_containers_are_shown_without_v(fresh_site: Site, inventory: Path, settings: Path) -> None:
    planned = plan(fresh_site, inventory, settings, "ssh").document
    shown = read_results(playbook(fresh_site, inventory, settings, "--check"), "Plan the node")

    assert shown.keys() == {node["node"] for node in planned["nodes"]}
    for node in planned["nodes"]:
        result = shown[node["node"]]
        assert (result["msg"], result["action"]) == (node["reason"], node["action"])
        assert result["containers_stopped"] == [container["name"] for container in node["containers_stopped"]]
    assert shown["node1"]["containers_stopped"] == ["web"]


def test_a_false_on_the_command_line_is_no_consent(fresh_site: Site, inventory: Path, settings: Path) -> None:
    node = fresh_site.nodes[1]
    node.run(f'mkdir -p /etc/docker && echo \'{{"storage-driver": "btrfs"}}\' >{_DAEMON_JSON}')

    consent = ("--check", "--limit", node.name, "-e")
    refused = playbook(fresh_site, inventory, settings, *consent, "harbor_agent_accept_restart=false")
    accepted = playbook(fresh_site, inventory, settings, *consent, "harbor_agent_accept_restart=true")
    node.run(f"rm {_DAEMON_JSON}")

    assert refused.returncode != 0
    assert "[latent-edit]" in refused.stdout
    assert accepted.returncode == 0, accepted.stdout


def test_one_command_through_ansible_changes_and_proves(fresh_site: Site, inventory: Path, settings: Path) -> None:
    run = ("-i", inventory, "-c", settings, "--transport", "ansible", "-o", "json")

    applied = fresh_site.agent("apply", *run, "--yes", "--limit", "node1")
    again = fresh_site.agent("plan", *run, "--exit-code", "--limit", "node1")
    verified = fresh_site.agent("verify", *run, "--limit", "node1")

    assert applied.code == 0, applied.stderr
    assert (applied.node("node1")["outcome"], applied.node("node1")["verified"]) == ("changed", True)
    assert (again.code, again.node("node1")["status"]) == (0, "unchanged")
    assert (verified.code, verified.node("node1")["verified"]) == (0, True)


def test_a_role_under_ansible_runner_changes_no_node_with_a_forged_host_key(
    fresh_site: Site, inventory: Path, settings: Path, collection: str
) -> None:
    site, node = fresh_site, fresh_site.nodes[1]
    files, forged = site.files(node), site.lab.folder / "forged"
    make_key(forged)
    known_hosts = forged.with_name("forged_hosts")
    known_hosts.write_text(f"{node.address} {forged.with_name('forged.pub').read_text()}")
    lying = site.lab.write_inventory(
        "lying.ini", nodes=[node], variables={"ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts}"}
    )
    play = write_play(site, roles=[f"{collection}.harbor_agent"])

    def run_with_runner(inventory: Path) -> str:
        argv = [str(BIN / "ansible-runner"), "run", str(site.lab.folder / f"private-{inventory.stem}")]
        variables = json.dumps({"harbor_agent_config": str(settings)})
        argv += ["-p", str(play), "--inventory", str(inventory), "--limit", node.name, "--cmdline", f"-e '{variables}'"]
        ended = site.lab.run(argv, cwd=site.lab.home, env=environment())
        return ended.stdout + ended.stderr

    refused = run_with_runner(lying)
    assert "Host key verification failed" in refused
    assert "unreachable=1" in refused
    assert site.files(node) == files
    assert "changed=1" in run_with_runner(inventory)
    assert site.pull(node).returncode == 0


def test_the_installed_playbook_changes_proves_and_then_has_nothing_to_do(
    fresh_site: Site, inventory: Path, settings: Path, collection: str
) -> None:
    name = f"{collection}.site"
    first = playbook(fresh_site, inventory, settings, "--diff", name=name)
    second = playbook(fresh_site, inventory, settings, name=name)
    over_ssh = fresh_site.agent("plan", "-i", inventory, "-c", settings, "--exit-code", "-o", "json")

    assert first.returncode == 0, first.stdout + first.stderr
    # node1 and node2 were changed by the tests before.
    assert [line.split()[3] for line in first.stdout.splitlines() if line.startswith("node")] == [
        "changed=0",
        "changed=0",
        "changed=1",
    ]
    assert "Verify the changed node again" in first.stdout
    assert second.returncode == 0
    assert "changed=1" not in second.stdout
    assert over_ssh.code == 0
    for node in fresh_site.nodes:
        assert fresh_site.pull(node).returncode == 0
        assert node.succeeds("test -f /var/lib/harbor-agent/record/docker.json")


def test_all_nodes_are_verified_at_once(fresh_site: Site, inventory: Path, settings: Path) -> None:
    verified = playbook(fresh_site, inventory, settings, "--tags", "verify")

    assert verified.stdout.count(": Verify the node] *") == 1, "one wave of all nodes"
    results = read_results(verified, "Verify the node")
    assert [results[node.name]["verified"] for node in fresh_site.nodes] == [True, True, True]


def test_a_play_with_the_role_goes_in_waves(fresh_site: Site, inventory: Path, settings: Path, collection: str) -> None:
    play = write_play(fresh_site, serial=1, roles=[f"{collection}.harbor_agent"])

    ended = playbook(fresh_site, inventory, settings, name=play)

    results = read_results(ended, "Apply the plan and verify the node")
    assert {host: result["outcome"] for host, result in results.items()} == {
        node.name: "unchanged" for node in fresh_site.nodes
    }
    assert all(result["msg"] for result in results.values())


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

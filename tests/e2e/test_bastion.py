"""Nodes behind two bastions: reachable if the operator's own ssh reaches them, and every hop is verified."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.bastion import bastions_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.bastion import Bastions

pytestmark = pytest.mark.needs("nodes")


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    document: dict[str, Any]
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Somebody on the controller with a home, an ssh configuration and an inventory of the nodes' inner addresses."""

    site: Site
    home: Path
    inventory: Path

    @property
    def known_hosts(self) -> Path:
        return self.home / ".ssh/known_hosts"

    def agent(self, command: str, *arguments: str, home: bool = True) -> Ended:
        program = str(Path(sys.executable).with_name("harbor-agent"))
        argv = [program, command, "-i", str(self.inventory), *arguments, "-o", "json"]
        done = self.site.lab.run(argv, env={"HOME": str(self.home)} if home else {})
        assert done.stdout.startswith("{"), done.stderr
        return Ended(code=done.returncode, document=json.loads(done.stdout), stderr=done.stderr)

    def plan(self) -> Ended:
        return self.agent("plan", "--registry", self.site.registry.entry)


@pytest.fixture(scope="module")
def bastions(site: Site) -> Iterator[Bastions]:
    with bastions_before(site.lab) as running:
        yield running


@pytest.fixture
def operator(site: Site, bastions: Bastions, tmp_path: Path) -> Operator:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh/config").write_text(
        f"""
Host first
    HostName {bastions.first.address}
    User root
    IdentityFile {bastions.first.key}
Host second
    HostName {bastions.second.address}
    Port {bastions.second.port}
    User nopasswd
    IdentityFile {bastions.second.key}
    ProxyJump first
Host 10.98.3.*
    ProxyJump second
    User ops
    IdentityFile {site.lab.private_key}
Host *
    HashKnownHosts yes
"""
    )
    inventory = tmp_path / "inventory.ini"
    inventory.write_text("".join(f"{node.name} ansible_host={bastions.inner_address(node)}\n" for node in site.nodes))
    return Operator(site=site, home=tmp_path, inventory=inventory)


def test_nothing_is_reached_past_the_bastions(operator: Operator) -> None:
    operator.home.joinpath(".ssh/config").unlink()

    assert {node["code"] for node in operator.plan().document["nodes"]} == {"ssh-no-route"}


def test_plan_through_two_bastions_once_their_keys_and_the_nodes_are_trusted(operator: Operator) -> None:
    before = operator.plan()
    assert before.code == 4
    assert all("bastion first" in node["reason"] for node in before.document["nodes"])
    assert {node["code"] for node in before.document["nodes"]} == {"host-key-unknown"}

    trusted = operator.agent("trust-hosts", "--yes")

    names = [host["host"] for host in trusted.document["hosts"]]
    assert names[:2] == ["first", "second"]
    assert trusted.code == 0
    assert trusted.document["summary"]["added"] == 2 + len(operator.site.nodes)
    assert "10.98" not in operator.known_hosts.read_text(), "HashKnownHosts is on"
    planned = operator.plan()
    assert planned.code == 0, planned.stderr
    assert {node["status"] for node in planned.document["nodes"]} <= {"change", "unchanged"}
    again = operator.agent("trust-hosts", "--yes")
    assert again.document["summary"]["known"] == 2 + len(operator.site.nodes)


def test_the_arguments_of_an_inventory_lead_through_bastions_too(operator: Operator, bastions: Bastions) -> None:
    (operator.home / ".ssh/config").unlink()
    (operator.home / ".ssh/id_ed25519").write_bytes(bastions.first.key.read_bytes())
    authorized = bastions.second.home / "authorized_keys"
    own = authorized.read_bytes()
    authorized.write_bytes(own + (bastions.first.home / "authorized_keys").read_bytes())
    jump = f"root@{bastions.first.address},nopasswd@{bastions.second.address}:{bastions.second.port}"
    with operator.inventory.open("a") as inventory:
        inventory.write(
            f"[all:vars]\nansible_ssh_common_args='-o ProxyJump={jump}'\nansible_user=ops\n"
            f"ansible_ssh_private_key_file={operator.site.lab.private_key}\n"
        )

    assert operator.agent("trust-hosts", "--yes").code == 0
    planned = operator.plan()
    authorized.write_bytes(own)

    assert planned.code == 0, planned.stderr


def test_a_bastion_with_another_key_than_before_stops_what_is_behind_it(operator: Operator, bastions: Bastions) -> None:
    operator.agent("trust-hosts", "--yes")
    lines = operator.known_hosts.read_text().splitlines()
    other = bastions.first.host_key("ed25519").split()[1]
    changed = [line.replace(bastions.second.host_key().split()[1], other) for line in lines]
    operator.known_hosts.write_text("\n".join(changed) + "\n")

    planned = operator.plan()
    trusted = operator.agent("trust-hosts", "--yes")

    assert {node["code"] for node in planned.document["nodes"]} == {"host-key-changed"}
    assert all("bastion second" in node["reason"] for node in planned.document["nodes"])
    assert trusted.code == 4
    assert [host["status"] for host in trusted.document["hosts"]][:3] == ["known", "changed", "unreachable"]
    assert operator.known_hosts.read_text().splitlines() == changed


@pytest.mark.field("15")
def test_kubesprays_group_bastion_leads_to_the_nodes(operator: Operator, bastions: Bastions) -> None:
    config = operator.home / ".ssh/config"
    config.write_text(
        f"Host {bastions.second.address}\n    ProxyJump root@{bastions.first.address}\n"
        f"    IdentityFile {bastions.second.key}\n"
        f"Host {bastions.first.address}\n    IdentityFile {bastions.first.key}\n"
    )
    names = [node.name for node in operator.site.nodes]
    own = f"ansible_user=ops ansible_ssh_private_key_file={operator.site.lab.private_key}"
    hosts = [f"{node.name} ansible_host={bastions.inner_address(node)} {own}" for node in operator.site.nodes]
    bastion = (
        f"bastion ansible_host={bastions.second.address} ansible_port={bastions.second.port} ansible_user=nopasswd"
    )
    groups = ["[bastion]", "bastion", "[kube_node]", *names, "[k8s_cluster:children]", "kube_node"]
    operator.inventory.write_text("\n".join(["[all]", *hosts, bastion, *groups, ""]))

    trusted = operator.agent("trust-hosts", "--yes")
    run = ("--registry", operator.site.registry.entry, "--limit", f"{names[2]},bastion")
    applied = operator.agent("apply", *run, "--accept-restart", "--yes")
    planned = operator.plan()

    assert trusted.code == 0, trusted.document
    assert applied.code == 0, applied.stderr
    assert "reached through bastion" in applied.stderr
    assert {node["node"]: node["outcome"] for node in applied.document["nodes"]}["bastion"] == "skipped"
    found = {node["node"]: node["status"] for node in planned.document["nodes"]}
    assert (found.pop("bastion"), found[names[2]]) == ("skipped", "unchanged")
    assert set(found.values()) <= {"change", "unchanged"}

"""A failure of one node is named and has its exit code, and the other nodes continue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.base import SUDO_PASSWORD
from tests.lab.network import NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.e2e.site import Ended, Site

pytestmark = pytest.mark.needs("nodes")


def _plan(site: Site, *, nobody: bool = False, **variables: Mapping[str, str]) -> Ended:
    """Plan for the three nodes, some with variables of their own, and perhaps for an address that nobody has."""
    further = {"nobody": NOBODY} if nobody else {}
    inventory = site.lab.write_inventory(
        "trouble.ini", nodes=site.nodes, host_variables=variables, further_hosts=further
    )
    return site.agent("plan", "-i", inventory, "--registry", site.registry.entry, "-o", "json")


def _assert_only_node2_unreachable(ended: Ended) -> None:
    assert ended.code == 4, ended.stderr
    assert {node["node"]: node["status"] == "unreachable" for node in ended.document["nodes"]} == {
        "node1": False,
        "node2": True,
        "node3": False,
    }
    assert ended.node("node2")["reason"]
    assert ended.node("node2")["code"]


def test_sudo_with_its_password_works(site: Site) -> None:
    ended = _plan(site, node2={"ansible_user": "opspw", "ansible_become_password": SUDO_PASSWORD})
    assert ended.code == 0, ended.stderr
    assert ended.document["summary"]["unreachable"] == 0
    assert SUDO_PASSWORD not in ended.stdout + ended.stderr


def test_a_wrong_sudo_password_is_that_nodes_trouble(site: Site) -> None:
    started = time.monotonic()
    ended = _plan(site, node2={"ansible_user": "opspw", "ansible_become_password": "a wrong one"})
    _assert_only_node2_unreachable(ended)
    assert "password" in ended.node("node2")["reason"]
    assert "a wrong one" not in ended.stdout + ended.stderr
    assert time.monotonic() - started < 120


@pytest.mark.field("06")
def test_a_node_without_the_sudo_password_is_unreachable_and_not_planned(site: Site) -> None:
    ended = _plan(site, node2={"ansible_user": "opspw"})
    _assert_only_node2_unreachable(ended)
    assert ended.node("node2")["code"] == "become-password-required"


def test_a_key_that_is_not_accepted_is_that_nodes_trouble(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "other"
    site.lab.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    _assert_only_node2_unreachable(_plan(site, node2={"ansible_ssh_private_key_file": str(key)}))


def test_a_closed_port_is_that_nodes_trouble(site: Site) -> None:
    _assert_only_node2_unreachable(_plan(site, node2={"ansible_port": "2222"}))


def test_a_host_key_that_is_not_known_is_never_accepted(site: Site, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    ended = _plan(site, node2={"ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts}"})
    _assert_only_node2_unreachable(ended)
    assert known_hosts.read_text() == ""


def test_a_node_that_answers_nothing_costs_nobody_else_anything(site: Site) -> None:
    ended = _plan(site, nobody=True)
    assert ended.code == 4, ended.stderr
    assert ended.document["summary"]["unreachable"] == 1
    assert ended.node("nobody")["status"] == "unreachable"


def test_a_node_without_docker_is_refused_with_what_was_found(site: Site) -> None:
    inventory = site.lab.write_inventory("mixed.ini", nodes=[site.nodes[0], site.without_docker])
    ended = site.agent("plan", "-i", inventory, "--registry", site.registry.entry, "-o", "json")
    assert ended.code == 5, ended.stderr
    refused = ended.node(site.without_docker.name)
    assert refused["status"] == "refused"
    assert "docker" in refused["reason"].lower()
    assert ended.node(site.nodes[0].name)["status"] in {"change", "unchanged"}


def test_without_a_terminal_nothing_is_changed_unasked(site: Site) -> None:
    inventory = site.lab.write_inventory("asked.ini", nodes=site.nodes[:1])
    ended = site.agent("apply", "-i", inventory, "--registry", "192.0.2.7:5000")
    assert ended.code == 7, ended.stderr
    assert site.nodes[0].run("grep -rF 192.0.2.7 /etc", check=False).stdout == ""

"""Kubespray's group `bastion`: nodes are reached through it, and it is not a node itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node
    from tests.unit.inventory.loading import Write

pytestmark = pytest.mark.field("15")
HOSTS = """\
[all]
kube-4 ansible_host=10.98.0.12 ip=10.98.0.12
kube-5 ansible_host=10.98.0.13
bastion ansible_host=10.99.0.11 ansible_user=ops

[bastion]
bastion

[kube-master]
kube-4

[etcd]
kube-4

[kube-node]
kube-5

[k8s-cluster:children]
kube-master
kube-node
"""


def load(path: str, limit: str | None = None) -> tuple[dict[str, Node], list[Problem]]:
    warnings: list[Problem] = []
    return {node.name: node for node in load_inventory([path], limit=limit, warn=warnings.append)}, warnings


def test_nodes_are_reached_through_the_bastion_which_is_skipped(write: Write) -> None:
    nodes, warnings = load(write("hosts.ini", HOSTS))

    assert nodes["kube-4"].ssh_common_args == nodes["kube-5"].ssh_common_args == "-J ops@10.99.0.11"
    assert nodes["kube-4"].skip_reason is None
    assert nodes["bastion"].ssh_common_args == ""
    assert nodes["bastion"].skip_reason == "it is Kubespray's bastion, and in no group of the cluster"
    assert [warning.code for warning in warnings] == ["kubespray-bastion"]


def test_a_limit_without_the_bastion_changes_nothing(write: Write) -> None:
    nodes, _ = load(write("hosts.ini", HOSTS), limit="kube-4")

    assert {name: node.ssh_common_args for name, node in nodes.items()} == {"kube-4": "-J ops@10.99.0.11"}


def test_the_login_is_known_even_if_the_bastion_is_skipped_by_hand(write: Write) -> None:
    nodes, _ = load(write("hosts.ini", HOSTS.replace("ansible_user=ops", "ansible_user=ops harbor_skip=gateway")))

    assert nodes["kube-4"].ssh_common_args == "-J ops@10.99.0.11"
    assert nodes["bastion"].skip_reason == "gateway"


def test_the_key_and_the_port_of_the_bastion_are_used(write: Write) -> None:
    nodes, _ = load(write("hosts.ini", HOSTS.replace("=ops", "=ops ansible_port=2222 ansible_ssh_private_key_file=/k")))

    arguments = nodes["kube-4"].ssh_common_args
    assert "ProxyCommand=ssh -o BatchMode=yes -i /k -p 2222 -l ops -W" in arguments


def test_a_bastion_in_a_group_of_the_cluster_is_a_node(write: Write) -> None:
    nodes, _ = load(write("hosts.ini", HOSTS.replace("[kube-node]\n", "[kube-node]\nbastion\n")))

    assert nodes["bastion"].skip_reason is None
    assert nodes["bastion"].ssh_common_args == ""
    assert nodes["kube-4"].ssh_common_args == "-J ops@10.99.0.11"


@pytest.mark.parametrize(
    "arguments", ["-J other", "-F ./ssh-bastion.conf", '-o ProxyCommand="ssh -W %h:%p other"', "-o proxyjump=other"]
)
def test_a_route_in_the_inventory_is_kept(write: Write, arguments: str) -> None:
    nodes, warnings = load(write("hosts.ini", HOSTS + f"[all:vars]\nansible_ssh_common_args='{arguments}'\n"))

    assert nodes["kube-4"].ssh_common_args == arguments
    assert warnings == []


def test_a_group_called_bastion_means_nothing_outside_kubespray(write: Write) -> None:
    nodes, warnings = load(write("hosts.ini", "[bastion]\nb\n[web]\nw\n"))

    assert [(node.ssh_common_args, node.skip_reason) for node in nodes.values()] == [("", None), ("", None)]
    assert warnings == []

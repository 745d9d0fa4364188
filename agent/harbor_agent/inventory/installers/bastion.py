"""Kubespray's group `bastion`: the host in it is in front of all others, and is not a node of the cluster.

Kubespray's playbooks connect through that host (roles/bastion-ssh-config, `ansible_ssh_common_args` of
roles/kubespray_defaults); the inventory does not say so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.inventory.installers.jump import build_jump_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harbor_agent.model.inventory import Node

BASTION_GROUP = "bastion"
_CLUSTER_GROUPS = frozenset(
    {
        "k8s_cluster",
        "k8s-cluster",
        "kube_control_plane",
        "kube-master",
        "kube_node",
        "kube-node",
        "etcd",
        "calico_rr",
        "calico-rr",
    }
)
# Arguments that say how to reach a host, so that Kubespray's own would not be needed.
_OWN_ROUTE = re.compile(r"(?:^|\s)-[JF]|\bProxy(?:Jump|Command)\b", re.IGNORECASE)


def has_kubespray_bastion(groups: Collection[str]) -> bool:
    """Whether these groups are those of a Kubespray inventory with a bastion."""
    return BASTION_GROUP in groups and not _CLUSTER_GROUPS.isdisjoint(groups)


def route_through_bastion(nodes: Iterable[Node], bastion: Node) -> list[Node]:
    """Return the nodes with the ssh arguments for `bastion`; skip the hosts of its group that are not in the cluster.

    Nodes with a proxy or a configuration file in their own ssh arguments keep these.
    """
    jump = build_jump_arguments(
        bastion.address,
        port=str(bastion.port) if bastion.port else None,
        user=bastion.user,
        key_file=bastion.private_key_file,
    )
    return [_route_node(node, bastion, jump) for node in nodes]


def describe_route(nodes: Iterable[Node], bastion: Node) -> Problem | None:
    """Return the warning that nodes are reached through `bastion`; None if none of `nodes` is."""
    if not any(_needs_route(node, bastion) for node in nodes):
        return None
    return Problem(
        code="kubespray-bastion",
        message=f"hosts are reached through {bastion.name}, as by Kubespray, because it is in the group bastion",
        hint="for another route, set ansible_ssh_common_args; --transport ansible uses only what the inventory says",
    )


def _route_node(node: Node, bastion: Node, jump: str) -> Node:
    if BASTION_GROUP in node.groups and _CLUSTER_GROUPS.isdisjoint(node.groups):
        reason = "it is Kubespray's bastion, and in no group of the cluster"
        return replace(node, skip_reason=node.skip_reason or reason)
    if not _needs_route(node, bastion):
        return node
    return replace(node, ssh_common_args=f"{node.ssh_common_args} {jump}".strip())


def _needs_route(node: Node, bastion: Node) -> bool:
    return (
        BASTION_GROUP not in node.groups
        and node.connection == "ssh"
        and node.address != bastion.address
        and not _OWN_ROUTE.search(node.ssh_common_args)
    )

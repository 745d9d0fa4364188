"""Which nodes of a fleet are in which shard, the same on every machine that computes it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from harbor_agent.model.inventory import SSH_PORT, NodeSet, Scope
from harbor_agent.planning.rollout.waves import is_control_plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.inventory import Node, Shard


def select_shard(nodes: Sequence[Node], shard: Shard | None) -> list[Node]:
    """Return the nodes of a shard in their order; all of them without one.

    A node's shard follows from its name alone, so that nodes that join or leave move no other. All nodes of the
    control plane and of etcd are in the first shard, because only one run can change them one at a time.
    """
    return [node for node in nodes if shard is None or _find_index(node, shard.count) == shard.index]


def _find_index(node: Node, count: int) -> int:
    if is_control_plane(node):
        return 1
    return int.from_bytes(hashlib.sha256(node.name.encode(errors="surrogateescape")).digest()) % count + 1


def describe_scope(hosts: Iterable[Node], nodes: Sequence[Node], shard: Shard | None) -> Scope:
    """Return the scope of a run: all `hosts` of its inventory, and the `nodes` that were selected before the shard."""
    return Scope(
        inventory=_describe_node_set([f"{host.name} {host.address} {host.port or SSH_PORT}" for host in hosts]),
        fleet=describe_fleet(node.name for node in nodes),
        shard=shard,
    )


def describe_fleet(names: Iterable[str]) -> NodeSet:
    """Return number and digest of nodes with these names, in any order."""
    return _describe_node_set(names)


def _describe_node_set(lines: Iterable[str]) -> NodeSet:
    found = sorted(lines)
    return NodeSet(nodes=len(found), digest=hashlib.sha256(json.dumps(found).encode()).hexdigest())

"""Shards: every node in exactly one, the same one on every machine, the control plane together."""

from __future__ import annotations

import pytest

from harbor_agent.model.inventory import Node, Shard
from harbor_agent.planning.rollout.shards import describe_scope, select_shard

FLEET = [Node(name=f"node{number}", address=f"10.0.0.{number}") for number in range(1, 101)]


def names(nodes: list[Node], shard: str) -> list[str]:
    index, count = map(int, shard.split("/"))
    return [node.name for node in select_shard(nodes, Shard(index=index, count=count))]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_every_node_is_in_exactly_one_shard(count: int) -> None:
    parts = [names(FLEET, f"{index}/{count}") for index in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(node.name for node in FLEET)
    assert all(parts)


def test_the_shard_of_a_name_never_changes() -> None:
    # a release that moved nodes would change them twice, or never, in a rollout that is under way
    assert names(FLEET[:12], "1/3") == ["node6"]
    assert names(FLEET[:12], "2/3") == ["node3", "node5", "node8", "node10", "node12"]


def test_nodes_that_leave_move_no_other() -> None:
    left = names(FLEET[:50], "2/4")
    assert left == [name for name in names(FLEET, "2/4") if name in {node.name for node in FLEET[:50]}]


def test_one_shard_has_the_whole_control_plane() -> None:
    masters = [Node(name=f"master{n}", address=f"10.0.1.{n}", groups=("etcd", "master")) for n in range(1, 6)]
    assert set(names([*FLEET, *masters], "1/4")) >= {node.name for node in masters}
    assert not any("master" in name for index in (2, 3, 4) for name in names([*FLEET, *masters], f"{index}/4"))


def test_the_scope_names_inventory_and_fleet() -> None:
    whole = describe_scope(FLEET, FLEET, Shard(index=1, count=2))
    assert (whole.inventory.nodes, whole.fleet.nodes) == (100, 100)
    limited = describe_scope(reversed(FLEET), FLEET[:3], None)
    assert limited.inventory == whole.inventory
    assert limited.fleet != whole.fleet
    moved = [*FLEET[:-1], Node(name="node100", address="10.9.9.9")]
    assert describe_scope(moved, FLEET, None).inventory != whole.inventory


def test_a_shard_that_does_not_exist_is_no_value() -> None:
    with pytest.raises(ValueError, match="shard 4 of 3 does not exist"):
        Shard(index=4, count=3)

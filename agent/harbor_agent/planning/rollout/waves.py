"""Splits nodes into waves, and checks the failure budget of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Rollout

CONTROL_PLANE_GROUPS = frozenset(
    {"kube_control_plane", "kube-master", "kube_master", "control-plane", "controlplane", "master", "etcd"}
)


def is_control_plane(node: Node) -> bool:
    """Whether the inventory puts the node into a group for the control plane or etcd (KubeKey, Kubespray, RKE)."""
    return not CONTROL_PLANE_GROUPS.isdisjoint(node.groups)


def split_into_waves(
    nodes: Sequence[Node],
    rollout: Rollout,
    unfit_for_canary: Collection[str] = frozenset(),
    servers: Collection[str] = frozenset(),
) -> tuple[tuple[Node, ...], ...]:
    """Split nodes into the canary, then batches, then control-plane nodes one at a time; every node once.

    `servers` are nodes that were found to belong to the control plane, also if the inventory does not say so.
    The order is kept, except that nodes in `unfit_for_canary` follow the other workers (or control-plane nodes), so
    that one of them is the canary only if there is no other. If there are no workers, the first control-plane node is
    the canary.
    """
    last = [node for node in nodes if node.name in servers or is_control_plane(node)]
    workers = _move_last([node for node in nodes if node not in last], unfit_for_canary)
    control_plane = _move_last(last, unfit_for_canary)
    size = resolve_amount(rollout.batch, len(workers), up=True) or 1
    canary = _count_canary_nodes(workers, rollout.canary, unfit_for_canary)
    rest = workers[canary:]
    split = [tuple(workers[:canary])] if canary else []
    split += [tuple(rest[start : start + size]) for start in range(0, len(rest), size)]
    split += [(node,) for node in control_plane]
    return tuple(split)


def _move_last(nodes: Sequence[Node], names: Collection[str]) -> list[Node]:
    return [*(n for n in nodes if n.name not in names), *(n for n in nodes if n.name in names)]


def _count_canary_nodes(workers: Sequence[Node], requested: int, unfit_for_canary: Collection[str]) -> int:
    """Return how many of the ordered workers are the canary: `requested` ones, but fit ones only if there are any."""
    fit = sum(1 for node in workers if node.name not in unfit_for_canary)
    return min(requested, fit or len(workers))


def resolve_amount(amount: int | str, total: int, *, up: bool = False) -> int:
    """Return a number as it is, and a percentage such as "10%" of `total`, rounded down (or `up`)."""
    if isinstance(amount, int):
        return amount
    share = total * int(amount.removesuffix("%")) / 100
    return math.ceil(share) if up else math.floor(share)


def find_exceeded_budget(rollout: Rollout, total: int, *, failed: int, unreachable: int) -> str | None:
    """Return why the run must halt, or None. `total` is the number of nodes of the whole run."""
    if failed > resolve_amount(rollout.max_failed, total):
        return f"{failed} failed, and rollout.max_failed is {rollout.max_failed}"
    if unreachable > resolve_amount(rollout.max_unreachable, total):
        return f"{unreachable} unreachable, and rollout.max_unreachable is {rollout.max_unreachable}"
    return None

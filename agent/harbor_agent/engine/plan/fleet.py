"""The nodes that a request selects: those of its shard, or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.request.passwords import add_passwords
from harbor_agent.model.inventory import Node
from harbor_agent.planning.rollout.shards import describe_scope, select_shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All selected nodes of an inventory, those of every shard, and the scope of the run."""

    nodes: tuple[Node, ...]
    scope: Scope

    @property
    def own_nodes(self) -> list[Node]:
        """The nodes of the run's shard; all without one."""
        return select_shard(self.nodes, self.scope.shard)


def load_fleet(selection: NodeSelection, listener: Listener) -> Fleet:
    """Return the nodes of the inventory, or this machine. Raises UsageError for a wrong inventory."""
    if selection.transport == "local":
        nodes = add_passwords([Node(name="localhost", address="localhost", connection="local")], selection)
        return Fleet(nodes=tuple(nodes), scope=describe_scope(nodes, nodes, None))
    from harbor_agent.inventory.load import load_inventory  # noqa: PLC0415 - Ansible's library is slow to import

    def warn(problem: Problem) -> None:
        listener(Message(text=str(problem)))

    hosts: list[Node] = []
    nodes = load_inventory(
        selection.sources,
        limit=selection.limit,
        vault=selection.vault,
        warn=warn,
        note_hosts=hosts.extend,
        any_become=selection.transport == "ansible",
    )
    for node in nodes:
        if node.aliases:
            names = ", ".join(node.aliases)
            listener(
                Message(text=f"{node.name} and {names} are one machine ({node.address}), planned once as {node.name}")
            )
    scope = describe_scope(hosts, nodes, selection.shard)
    if selection.shard:
        _report_shard(select_shard(nodes, selection.shard), scope, listener)
    return Fleet(nodes=tuple(add_passwords(nodes, selection)), scope=scope)


def load_nodes(selection: NodeSelection, listener: Listener) -> list[Node]:
    """Return the nodes of the selection's shard, as `load_fleet`."""
    return load_fleet(selection, listener).own_nodes


def _report_shard(own: Sequence[Node], scope: Scope, listener: Listener) -> None:
    listener(Message(text=f"shard {scope.shard}: {len(own)} of {scope.fleet.nodes} nodes"))

"""Names of one machine merged into one node, whether `--limit` selects them or not."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.inventory import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.inventory import Node


def merge_machines(nodes: Iterable[Node], others: Iterable[Node]) -> list[Node]:
    """Return one node per machine of `nodes`, with the aliases, groups and variables that `others` add to it."""
    merged: dict[tuple[str, int, str], Node] = {}
    for node in nodes:
        key = _machine_key(node)
        first = merged.get(key)
        merged[key] = _merge(first, node) if first else node
    for node in others:
        key = _machine_key(node)
        if key in merged:
            merged[key] = _merge(merged[key], node)
    return list(merged.values())


def _machine_key(node: Node) -> tuple[str, int, str]:
    """Return a key that is equal for names of one machine. Behind another bastion, an address is another machine."""
    if node.connection == "local":
        return "", 0, ""
    try:
        address = str(ipaddress.ip_address(node.address))
    except ValueError:
        address = node.address.lower()
    return address, node.port or SSH_PORT, node.ssh_common_args


def _merge(first: Node, other: Node) -> Node:
    """Return `first` with the name, the groups and the variables of `other` that it does not have."""
    return replace(
        first,
        aliases=(*first.aliases, other.name),
        groups=tuple(dict.fromkeys((*first.groups, *other.groups))),
        variables={**other.variables, **first.variables},
        skip_reason=first.skip_reason or other.skip_reason,
    )

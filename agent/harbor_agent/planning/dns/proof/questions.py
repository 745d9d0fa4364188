"""Which questions show that a DNS server answers as planned, and from where they are asked."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.dns import ServerKind
from harbor_agent.planning.dns.facts import list_bound_addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.dns import DnsEntry, DnsServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A node and the addresses at which it asks DNS, those first that its kubelet gives pods."""

    node: str
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question from a node to the DNS server at an address; any answer is right if `expected` is empty.

    `version` is that of the addresses which are asked for, 4 or 6.
    """

    node: str
    server: str
    name: str
    expected: str = ""
    version: int = 4


def list_questions(
    server: DnsServer, cluster: Sequence[DnsServer], vantages: Iterable[Vantage], entries: Sequence[DnsEntry]
) -> tuple[Question, ...]:
    """Return the questions about one changed server; `cluster` are all servers in the order of their change.

    For an entry without an address any answer is right.
    A node-cache takes the questions at the addresses that it binds, often that of the Service too. If those are not
    known, all questions belong to the last server: then every one should have the answer.
    """
    caches = [one for one in cluster if one.kind is ServerKind.NODE_CACHE]
    cached = frozenset(address for one in caches for address in list_bound_addresses(one))
    is_last = server is cluster[-1]
    return tuple(
        _build_question(vantage.node, address, entry)
        for vantage in vantages
        for address in vantage.servers
        if _is_asked(server, address, cached, has_cache=bool(caches), is_last=is_last)
        for entry in entries
    )


def _is_asked(server: DnsServer, address: str, cached: frozenset[str], *, has_cache: bool, is_last: bool) -> bool:
    if not cached:
        return is_last if has_cache else True
    return (address in cached) == (server.kind is ServerKind.NODE_CACHE)


def _build_question(node: str, server: str, entry: DnsEntry) -> Question:
    if not entry.address:
        return Question(node=node, server=server, name=entry.name)
    expected = ipaddress.ip_address(entry.address)
    return Question(node=node, server=server, name=entry.name, expected=str(expected), version=expected.version)

"""Whether a node can reach a registry: its name, its answer and a proxy in between, one warning each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.planning.network.proxy import find_proxy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import Reachability
    from harbor_agent.planning.network.proxy import ProxySettings

REACHABILITY_CODES = frozenset({"name-not-resolved", "registry-not-answering", "registry-behind-proxy"})


def find_reachability_problems(
    registries: Iterable[Address], reachability: Iterable[Reachability], proxies: ProxySettings
) -> list[Problem]:
    """Return what keeps the node from each registry; a registry that the probe did not try has a proxy at most."""
    seen = {one.entry: one for one in reachability}
    found: list[Problem] = []
    for address in registries:
        if address.entry in seen:
            found.extend(_check_answer(address, seen[address.entry]))
        found.extend(_check_proxy(address, proxies))
    return found


def find_unreached_entries(views: Iterable[tuple[Sequence[Reachability], bool]]) -> dict[str, str]:
    """Return the registries that nodes tried and that none of them reached, each with the reason on the first node.

    `views` are the answers of each node, and whether it sends pulls through a proxy: then they say nothing.
    """
    reached: set[str] = set()
    unreached: dict[str, str] = {}
    for answers, is_behind_proxy in views:
        for seen in answers:
            if seen.http_status != 0 or is_behind_proxy:
                reached.add(seen.entry)
            else:
                unreached.setdefault(seen.entry, seen.detail or "no answer")
    return {entry: why for entry, why in unreached.items() if entry not in reached}


def _check_answer(address: Address, seen: Reachability) -> Iterator[Problem]:
    if seen.resolved == ():
        yield Problem(
            code="name-not-resolved",
            message=f"the node cannot resolve {address.host}",
            hint="pulls use the node's own resolver: add the name to its DNS or to /etc/hosts",
        )
    elif seen.http_status == 0:
        detail = f": {seen.detail}" if seen.detail else ""
        yield Problem(
            code="registry-not-answering",
            message=f"no answer from {address.url}/v2/ on the node{detail}",
            hint="check that Harbor is running, the port, and firewalls between node and registry",
        )


def _check_proxy(address: Address, proxies: ProxySettings) -> Iterator[Problem]:
    proxy = find_proxy(address, proxies)
    if proxy:
        yield Problem(
            code="registry-behind-proxy",
            message=f"dockerd sends pulls from {address.entry} to the proxy {proxy}",
            hint=f"add {address.host} to NO_PROXY next to the proxy setting, and restart docker",
        )

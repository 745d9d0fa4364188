"""Whether the node's dockerd could reach a registry: name, answer and proxy, each its own warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.planning.network.proxy import ProxySettings, proxy_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState, Reachability
    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.wanted import DesiredState


ABOUT_REACHING = frozenset({"name-not-resolved", "registry-not-answering", "registry-behind-proxy"})


def find_reachability_problems(state: NodeState, effective: Effective, wanted: DesiredState) -> list[Problem]:
    """Return what stands between the node and each wanted registry; nothing where nothing was asked."""
    seen = {one.entry: one for one in state.reachability}
    settings = ProxySettings.of(state, effective)
    found: list[Problem] = []
    for address in wanted.present:
        if address.entry in seen:
            found.extend(_answers(address, seen[address.entry]))
        found.extend(_proxied(address, settings))
    return found


def _answers(address: Address, seen: Reachability) -> Iterator[Problem]:
    if seen.resolved == ():
        yield Problem(
            code="name-not-resolved",
            message=f"the node cannot resolve {address.host}",
            hint="pulls use the node's own resolver: add the name to its DNS or to /etc/hosts",
        )
    elif seen.http_status == 0:
        because = f": {seen.detail}" if seen.detail else ""
        yield Problem(
            code="registry-not-answering",
            message=f"nothing answers the node on {address.url}/v2/{because}",
            hint="check that Harbor runs, the port, and firewalls between them",
        )


def _proxied(address: Address, settings: ProxySettings) -> Iterator[Problem]:
    proxy = proxy_for(address, settings)
    if proxy:
        yield Problem(
            code="registry-behind-proxy",
            message=f"dockerd sends pulls from {address.entry} to the proxy {proxy}",
            hint=f"add {address.host} to NO_PROXY where the proxy is set, and restart docker",
        )

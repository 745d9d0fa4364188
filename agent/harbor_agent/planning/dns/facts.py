"""What a server's Corefiles say about the server: upstreams, reload, the port of its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harbor_agent.planning.dns.hosts import parse_address
from harbor_agent.planning.dns.texts import ServerTexts
from harbor_agent.planning.dns.zones import find_answering_blocks, list_addresses
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from harbor_agent.formats.corefile.document import Corefile
    from harbor_agent.model.dns import DnsServer

METRICS_PORT: Final = 9153


def list_upstreams(server: DnsServer) -> tuple[str, ...] | None:
    """Return what CoreDNS forwards names outside the cluster to; None if its Corefile cannot be read."""
    try:
        blocks = [block for corefile in _read(server) for block in find_answering_blocks(corefile, "")]
    except RefusedError:
        return None
    return tuple(
        token.text for block in blocks for one in block.find("forward", "proxy") for token in one.arguments[1:]
    )


def has_reload(server: DnsServer) -> bool:
    """Whether the server reads a changed Corefile without a restart: one block with `reload` suffices for all."""
    return any(block.find("reload") for corefile in _read(server) for block in corefile.blocks)


def find_metrics_port(server: DnsServer) -> int:
    """Return the port of the server's metrics, from its directive `prometheus`."""
    for corefile in _read(server):
        for block in corefile.blocks:
            for one in block.find("prometheus"):
                port = one.arguments[0].text.rpartition(":")[2] if one.arguments else ""
                return int(port) if port.isdecimal() else METRICS_PORT
    return METRICS_PORT


def list_bound_addresses(server: DnsServer) -> frozenset[str]:
    """Return the IP addresses that the server listens on by `bind`; none if it has no `bind`, or names interfaces."""
    found = {address for corefile in _read(server) for block in corefile.blocks for address in list_addresses(block)}
    return frozenset(str(address) for text in found if (address := parse_address(text)))


def _read(server: DnsServer) -> list[Corefile]:
    texts = ServerTexts(server)
    return [texts.parse(key) for key in texts.corefiles()]

"""Which server block of a Corefile answers a name: the longest zone, per port and bind address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.corefile.document import Corefile, ServerBlock

DNS_PORT: Final = "53"
_PORT: Final = re.compile(r"(?P<zone>.*?)(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A key of a server block that listens for plain DNS; the root zone is ""."""

    name: str
    port: str

    def covers(self, host: str) -> bool:
        """Whether the zone has the name. Zones are compared as written: one with capitals has no name."""
        return not self.name or host == self.name or host.endswith(f".{self.name}")


def read_zone(key: str) -> Zone | None:
    """Return the zone of a key such as "lan:53"; None if it is for DNS over TLS, HTTPS, gRPC or QUIC."""
    scheme, separator, rest = key.rpartition("://")
    if separator and scheme != "dns":
        return None
    match = _PORT.fullmatch(rest)
    zone, port = (match["zone"], match["port"]) if match else (rest, None)
    return Zone(name=zone.removesuffix("."), port=port or DNS_PORT)


def list_zones(block: ServerBlock) -> Iterator[Zone]:
    """Yield the zones of a block."""
    yield from (zone for key in block.keys if (zone := read_zone(key.text)))


def find_answering_blocks(corefile: Corefile, host: str) -> tuple[ServerBlock, ...]:
    """Return the blocks that a query for the name reaches today, in their order; () if none does.

    There are several if servers listen on different addresses (`bind`), or if a `view` chooses. The port is 53 if a
    block for the name has it, else the one of the block with the cluster's domain, else all.
    """
    best: dict[tuple[str, tuple[str, ...]], tuple[int, list[ServerBlock]]] = {}
    for block in corefile.blocks:
        for zone in list_zones(block):
            if not zone.covers(host):
                continue
            listener = (zone.port, list_addresses(block))
            length, blocks = best.get(listener, (-1, []))
            if len(zone.name) > length:
                best[listener] = (len(zone.name), [block])
            elif len(zone.name) == length:
                blocks.append(block)
    ports = {port for port, _ in best}
    serving = {zone.port for block in corefile.blocks if block.find("kubernetes") for zone in list_zones(block)}
    chosen = ports & {DNS_PORT} or ports & serving or ports
    found = [block for (port, _), (_, blocks) in best.items() if port in chosen for block in blocks]
    return tuple(block for block in corefile.blocks if any(block is one for one in found))


def list_addresses(block: ServerBlock) -> tuple[str, ...]:
    """Return the addresses that the block's server listens on, () for all."""
    return tuple(sorted(token.text for bind in block.find("bind") for token in bind.arguments))

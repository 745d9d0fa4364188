"""The block of this tool in /etc/hosts: at the end, outside the blocks that installers rewrite.

KubeKey and Kubespray replace what is between their own marks; cloud-init may write the whole file at each boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harbor_agent.formats.hosts import normalize_address, read_lines, replace_block
from harbor_agent.formats.text import decode, encode
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.formats.hosts import HostsLine
    from harbor_agent.model.dns import DnsEntry

PATH: Final = "/etc/hosts"


def edit_hosts(content: bytes, present: Iterable[DnsEntry], absent: Iterable[str] = ()) -> bytes:
    """Return the file with the entries `present` in the block of this tool, and without ours for the names `absent`.

    Entries of the block that are not named stay. Raises RefusedError if another line has another address for a name.
    """
    text = decode(content)
    lines = list(read_lines(text))
    ours, gone = _list_own_entries(lines), set(absent)
    wanted = {name: address for name, address in ours.items() if name not in gone}
    for entry in present:
        others = {line.address for line in lines if not line.is_ours and entry.name in line.names}
        address = normalize_address(entry.address) or entry.address
        if others - {address}:
            raise RefusedError(
                "hosts-entry-differs",
                f"{PATH} already has {entry.name} with the address {', '.join(sorted(others - {address}))}",
                "remove that line if it is wrong, or set resolve.address to it",
            )
        if not others or entry.name in ours:
            wanted[entry.name] = address
    if wanted and wanted == ours:
        return content
    return encode(replace_block(text, ((address, name) for name, address in wanted.items())))


def read_own_entries(content: bytes | None) -> Mapping[str, str]:
    """Return the addresses in the block of this tool, by name."""
    return _list_own_entries(read_lines(decode(content or b"")))


def describe_own_part(content: bytes | None) -> bytes | None:
    """Return the block's entries, and other addresses that the file has for its names; None if there is no entry.

    Everything else in the file belongs to others and may change at any time.
    """
    lines = list(read_lines(decode(content or b"")))
    ours = _list_own_entries(lines)
    if not ours:
        return None
    found = {(name, line.address) for line in lines for name in line.names if name in ours}
    return "\n".join(f"{name} {address}" for name, address in sorted(found)).encode()


def restore_own_part(now: bytes, earlier: bytes) -> bytes:
    """Return the file as it is now with the block as it was earlier."""
    text, past = decode(now), decode(earlier)
    if replace_block(text, ()) == replace_block(past, ()):
        return earlier
    entries = _list_own_entries(read_lines(past))
    return encode(replace_block(text, ((address, name) for name, address in entries.items())))


def _list_own_entries(lines: Iterable[HostsLine]) -> dict[str, str]:
    return {name: line.address for line in lines if line.is_ours for name in line.names}

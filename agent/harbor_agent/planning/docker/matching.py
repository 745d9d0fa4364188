"""Which entry of `insecure-registries` covers a registry (moby registry/config.go, isSecureIndex)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from harbor_agent.planning.runtime import normalize_range, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.address import Address

# dockerd always trusts it.
LOOPBACK = "127.0.0.0/8"
# moby#29936: before, "http://host" in the list never matched; since, the scheme is cut off with a warning.
_SCHEME_STRIPPED_SINCE = (17, 4)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
Version = tuple[int, int, int]


def parse_version(text: str) -> Version | None:
    """Parse the first three numbers of a version; None if there are none."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def normalize_entry(entry: str, version: Version | None) -> str:
    """Return the entry as dockerd compares it; an unknown version is taken for a recent one."""
    # rule DD-20
    if version is not None and version < _SCHEME_STRIPPED_SINCE:
        return entry
    for scheme in ("http://", "https://"):
        if entry.lower().startswith(scheme):
            return entry[len(scheme) :]
    return entry


def normalize_listed_entry(entry: str, version: Version | None) -> str:
    """Return the entry as dockerd lists it: a range by its first address (Go's ParseCIDR), a registry as compared."""
    return normalize_range(normalize_entry(entry, version))


def find_cover(
    address: Address, entries: Iterable[str], *, version: Version | None = None, resolved: Sequence[str] = ()
) -> str | None:
    """Return what makes dockerd trust the registry: its own entry, else a range of addresses; None if nothing does.

    A range covers a name only by the addresses that the node resolved it to.
    """
    listed = [normalize_entry(entry, version) for entry in entries]
    # rule DD-18
    if address.entry in listed:
        return address.entry
    hosts = [host for host in map(_parse_ip, (address.host, *resolved)) if host]
    # rule DD-21
    for entry in (*listed, LOOPBACK):
        network = parse_range(entry)
        # rule DD-19
        if network and any(host.version == network.version and host in network for host in hosts):
            return entry
    return None


def find_near_misses(address: Address, entries: Iterable[str], version: Version | None) -> list[str]:
    """Return the entries that look like the registry and do not match it.

    They differ in the port, in capitals, or by a scheme before 17.04.
    """
    found = []
    for entry in entries:
        bare = re.sub(r"\A[A-Za-z]+://", "", entry).rstrip("/")
        host = re.sub(r":\d+\Z", "", bare).strip("[]")
        if host.lower() == address.host.lower() and normalize_entry(entry, version) != address.entry:
            found.append(entry)
    return found


def _parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

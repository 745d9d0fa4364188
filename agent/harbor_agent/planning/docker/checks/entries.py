"""Which entries of `insecure-registries` keep dockerd from starting; `dockerd --validate` accepts all of them.

The rule is that of moby registry/config.go: loadInsecureRegistries, ValidateIndexName and validateHostPort, with the
host names of distribution's reference package. It was tried on dockerd 20.10.24 and 26.1.5.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from harbor_agent.planning.docker.matching import normalize_entry

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.planning.docker.matching import Version

# moby#30746: before, dockerd starts with any entry; one that is not an address only matches nothing.
_CHECKED_SINCE = (17, 4, 0)
# distribution#3489, in moby since 25.0: before, an IPv6 address in brackets needs a port.
_BARE_IPV6_SINCE = (25, 0, 0)
_SCHEMES = ("http://", "https://")
_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?")
_BRACKETS = re.compile(r"\[[a-fA-F0-9:]+\](?::[0-9]+)?")
_RANGE = re.compile(r"(?P<address>[0-9a-fA-F:.]+)/(?P<length>[0-9]{1,3})")
_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:\[\]]*)")
_HIGHEST_PORT = 65535


def find_entry_fault(entry: str, version: Version | None) -> str | None:
    """Return why dockerd does not start with the entry, None if it does; an unknown version is taken for a recent one.

    The reason completes "dockerd does not start with 'ENTRY': ".
    """
    if entry.startswith("-") or entry.endswith("-"):
        return "it begins or ends with a hyphen"
    if version is not None and version < _CHECKED_SINCE:
        return None
    # rule DD-27
    scheme = next((scheme for scheme in _SCHEMES if entry.lower().startswith(scheme)), "")
    rest = entry[len(scheme) :]
    if not scheme and "://" in rest:
        return "its scheme is neither http nor https"
    return None if _is_range(rest) else _find_host_fault(rest, version)


def names_entry(address: Address, entry: str, version: Version | None) -> bool:
    """Whether an address that is to be removed means this entry: the same one, or a spelling that dockerd rejects."""
    if address.entry in (entry, normalize_entry(entry, version)):
        return True
    return find_entry_fault(entry, version) is not None and _strip(entry) == address.entry


def _strip(entry: str) -> str:
    """Return a rejected entry as the address that its author may have meant: no blanks, scheme or slash at the end."""
    bare = entry.strip()
    scheme = next((scheme for scheme in _SCHEMES if bare.lower().startswith(scheme)), "")
    return bare[len(scheme) :].rstrip("/")


def _find_host_fault(text: str, version: Version | None) -> str | None:
    match = _HOST_AND_PORT.fullmatch(text)
    host = (match["host"] if match["ipv6"] is None else match["ipv6"]) if match else text
    bare_ipv6_is_valid = version is None or version >= _BARE_IPV6_SINCE
    if "/" in text:
        return "it has a path, and is not a range of addresses either"
    is_valid = bool(_DOMAIN.fullmatch(text)) or (bare_ipv6_is_valid and bool(_BRACKETS.fullmatch(text)))
    if not is_valid and not _is_ip(host):
        return _describe_fault(text)
    port = match["port"] if match else ""
    if port and (not re.fullmatch(r"[+-]?[0-9]+", port) or not 0 <= int(port) <= _HIGHEST_PORT):
        return f"the port '{port}' is not a number from 0 to {_HIGHEST_PORT}"
    return None


def _describe_fault(text: str) -> str:
    if not text:
        return "it is empty"
    if text != text.strip():
        return "it begins or ends with a blank"
    if _BRACKETS.fullmatch(text):
        return "before Docker 25.0, an IPv6 address in brackets needs a port"
    for character, name in (("_", "an underscore"), (",", "a comma"), ("$", "a dollar sign, which nothing expands")):
        if character in text:
            return f"it has {name}"
    return "it is not host[:port]"


def _is_range(text: str) -> bool:
    """Whether Go's ParseCIDR accepts the text: a length, not a mask, and no zone."""
    match = _RANGE.fullmatch(text)
    if not match:
        return False
    try:
        address = ipaddress.ip_address(match["address"])
    except ValueError:
        return False
    return int(match["length"]) <= address.max_prefixlen


def _is_ip(text: str) -> bool:
    """Whether Go's ParseIP accepts the text; it accepts no zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text

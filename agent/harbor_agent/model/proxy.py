"""Which hosts NO_PROXY exempts from the proxy.

The rule is that of golang.org/x/net/http/httpproxy since v0.36, which dockerd, containerd and kubectl follow. It is
not curl's: blanks separate nothing, and `.example.com` exempts subdomains only.
"""

from __future__ import annotations

import ipaddress
import re

_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:\[\]]*)\Z")
_NETWORK = re.compile(r"[^/%]+/[0-9]+\Z")

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether requests to `host` (lower case, IPv6 without brackets) and `port` bypass the proxy.

    localhost and loopback addresses always do. `no_proxy` is a list of patterns separated by commas: `*`, a CIDR
    range, or an IP address or domain with an optional port. `example.com` exempts itself and its subdomains,
    `.example.com` and `*.example.com` only subdomains. Any other pattern exempts nothing.
    """
    ip = _parse_ip(host)
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return True
    patterns = (pattern.strip().lower() for pattern in no_proxy.split(","))
    return any(_matches(pattern, host, ip, port) for pattern in patterns if pattern)


def _matches(pattern: str, host: str, ip: _Ip | None, port: int) -> bool:
    network = _parse_network(pattern)
    if pattern == "*" or network is not None:
        return network is None or (ip is not None and ip in network)
    split = _HOST_AND_PORT.match(pattern)
    if split and split["port"] not in ("", str(port)):
        return False
    name = (split["ipv6"] or split["host"] or "") if split else pattern
    pattern_ip = _parse_ip(name)
    if ip is not None or pattern_ip is not None:
        return ip == pattern_ip
    domain = name.removeprefix("*") if name.startswith("*.") else name
    if domain.startswith("."):
        return host.endswith(domain)
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _parse_ip(text: str) -> _Ip | None:
    """Return the address, an IPv4-mapped one as IPv4, None if it is something else or has a zone."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return None if ip.scope_id else ip.ipv4_mapped or ip
    return ip


def _parse_network(pattern: str) -> _Network | None:
    if not _NETWORK.match(pattern):  # a netmask behind the slash is no range for Go
        return None
    try:
        network = ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96)) if mapped else network

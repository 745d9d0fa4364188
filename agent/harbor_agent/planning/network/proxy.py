"""The proxy that a registry's requests go through, by the rules of golang.org/x/net/http/httpproxy."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*)):(?P<port>[^:]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The proxies that a container runtime uses, user information masked; `exceptions` is NO_PROXY."""

    http: str = ""
    https: str = ""
    exceptions: str = ""


def proxy_for(address: Address, settings: ProxySettings) -> str:
    """Return the proxy that requests to the registry go to, "" for none.

    dockerd tries HTTPS first and then HTTP for an insecure registry, so either proxy matters.
    """
    for scheme, proxy in (("http", settings.http), ("https", settings.https)):
        uses_scheme = scheme == "https" or address.scheme == "http"
        port = address.port or _PORTS[scheme]
        if uses_scheme and proxy and not is_excepted(address.host, port, settings.exceptions):
            return proxy
    return ""


def is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether `exceptions` (NO_PROXY) exempt requests to the host and port from the proxy."""
    ip = _ip(host)
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return True
    patterns = [pattern.strip().lower() for pattern in exceptions.split(",")]
    return any(pattern == "*" or _matches(pattern, host, ip, port) for pattern in patterns if pattern)


def _matches(pattern: str, host: str, ip: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int) -> bool:
    if "/" in pattern:
        try:
            network = ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
        return ip is not None and ip.version == network.version and ip in network
    split = _HOST_AND_PORT.match(pattern)
    if split:
        if split["port"] not in ("", str(port)):
            return False
        pattern = split["six"] or split["host"] or ""
    pattern_ip = _ip(pattern)
    if pattern_ip is not None:
        return pattern_ip == ip
    pattern = pattern.removeprefix("*") if pattern.startswith("*.") else pattern
    suffix = pattern if pattern.startswith(".") else f".{pattern}"
    return bool(pattern) and (host.endswith(suffix) or (suffix != pattern and host == pattern))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

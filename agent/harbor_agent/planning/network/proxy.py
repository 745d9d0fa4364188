"""Which proxy dockerd sends a registry's requests to.

The rules are those of golang.org/x/net/http/httpproxy; "proxies" in daemon.json and the flags of the same
names go before the environment since 23.0 (moby cmd/dockerd, overrideProxyEnv).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.json_text import JsonKind
from harbor_agent.formats.text import readable
from harbor_agent.planning.files.diff import mask_userinfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*)):(?P<port>[^:]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The proxies in force, user information masked. `exceptions` is NO_PROXY."""

    http: str = ""
    https: str = ""
    exceptions: str = ""

    @classmethod
    def of(cls, state: NodeState, effective: Effective) -> ProxySettings:
        """Read them from the running daemon's environment, else from the unit's, and from its configuration."""
        docker = state.docker
        running = docker is not None and docker.argv is not None and not state.offline
        environment = docker.environment if docker and running else effective.environment
        configured = _configured(effective)

        def setting(name: str) -> str:
            variable = name.upper().replace("-", "_")
            from_environment = environment.get(variable) or environment.get(variable.lower()) or ""
            return mask_userinfo(configured.get(name) or readable_or_same(from_environment))

        return cls(http=setting("http-proxy"), https=setting("https-proxy"), exceptions=setting("no-proxy"))


def readable_or_same(text: str) -> str:
    """Return file text as people write it; text from elsewhere is so already."""
    try:
        return readable(text)
    except UnicodeEncodeError:
        return text


def proxy_for(address: Address, settings: ProxySettings) -> str:
    """Return the proxy that requests to the registry go to, "" for none.

    dockerd asks an insecure registry by HTTPS first and then by HTTP: either proxy is in the way.
    """
    for scheme, proxy in (("http", settings.http), ("https", settings.https)):
        uses_scheme = scheme == "https" or address.scheme == "http"
        port = address.port or _PORTS[scheme]
        if uses_scheme and proxy and not is_excepted(address.host, port, settings.exceptions):
            return proxy
    return ""


def is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY `exceptions` keep requests to the host and port from the proxy."""
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


def _configured(effective: Effective) -> Mapping[str, str]:
    names = ("http-proxy", "https-proxy", "no-proxy")
    found = {name: values[-1] for name in names if (values := effective.daemon.values(name))}
    member = effective.config.member("proxies") if effective.config else None
    for one in member.value.members if member else ():
        if one.key in names and one.value.kind is JsonKind.STRING:
            found[one.key] = one.value.string
    return found

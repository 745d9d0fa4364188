"""The proxy that a runtime on a node uses for a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.proxy import is_exempt

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The proxies that a container runtime uses, user information masked; `exceptions` is NO_PROXY."""

    http: str = ""
    https: str = ""
    exceptions: str = ""


def find_proxy(address: Address, settings: ProxySettings) -> str:
    """Return the proxy that requests to the registry go to, "" for none.

    dockerd tries HTTPS first and then HTTP for an insecure registry, so either proxy matters.
    """
    for scheme, proxy in (("http", settings.http), ("https", settings.https)):
        uses_scheme = scheme == "https" or address.scheme == "http"
        port = address.port or _PORTS[scheme]
        if uses_scheme and proxy and not is_exempt(address.host.lower(), port, settings.exceptions):
            return proxy
    return ""

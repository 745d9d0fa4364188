"""Which proxy of the environment a request goes through, decided as curl and dockerd decide it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for `url`, or None for a direct connection.

    Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, the lower-case name before the upper-case one.
    Loopback is never sent to a proxy (golang.org/x/net/http/httpproxy, which dockerd uses).
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    proxy = _variable(environment, f"{parts.scheme}_proxy") or _variable(environment, "all_proxy")
    if not proxy or _is_loopback(host):
        return None
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    exceptions = _variable(environment, "no_proxy").replace(",", " ").lower().split()
    if any(_covers(entry, host, port) for entry in exceptions):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, _, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))

"""Which proxy of the environment a request goes through.

The variables are read as curl reads them, NO_PROXY as Go does (harbor_agent.model.proxy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harbor_agent.model.proxy import is_exempt

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORTS = {"http": 80, "https": 443}


def find_proxy(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for `url`, or None for a direct connection.

    Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, the lower-case name before the upper-case one.
    """
    parts = urlsplit(url)
    proxy = _read_variable(environment, f"{parts.scheme}_proxy") or _read_variable(environment, "all_proxy")
    if not proxy:
        return None
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    if is_exempt(parts.hostname or "", port, _read_variable(environment, "no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _read_variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()

"""Scheme, host and port of a URL: the part of a foreign URL that may be printed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def format_origin(url: str) -> str:
    """Return scheme, host and port of a URL; "" if it is not a URL, or its host holds anything but ASCII letters."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host or not re.fullmatch(r"[\x21-\x7e]+", host):
        return ""
    return f"{parts.scheme}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


def is_cut_short(proxy: str) -> bool:
    """Whether a character of the password ended the host of a proxy's URL (RFC 3986, 3.2)."""
    parts = urlsplit(proxy)
    return "@" in parts.path + parts.query + parts.fragment


def is_same_origin(first: str, second: str) -> bool:
    """Whether two URLs have the same scheme, host and port; a default port may be omitted."""

    def normalise(url: str) -> str:
        name = format_origin(url)
        return name.removesuffix(":80" if name.startswith("http:") else ":443")

    return normalise(first) == normalise(second) != ""

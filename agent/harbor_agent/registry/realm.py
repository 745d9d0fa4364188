"""The token service that a registry names, and whether it may have the login."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harbor_agent.errors import Problem
from harbor_agent.registry.origin import format_origin, is_same_origin

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

_HINT = "for Harbor: set hostname, port and external_url in harbor.yml to the address that nodes use"


def check_realm(address: Address, realm: str) -> tuple[Problem | None, Problem | None]:
    """Return the problem of a token service that may not have the login, and the note of one that is elsewhere.

    docker sends the login to any server that the registry names, so a service on another host is a note; one that is
    not a URL, or would get the login of an HTTPS registry unencrypted, is a problem.
    """
    expected, actual = format_origin(address.url), format_origin(realm)
    hub = address.is_docker_hub and actual == "https://auth.docker.io"
    if hub or is_same_origin(address.url, realm):
        return None, None
    if not actual.startswith(("http://", "https://")) or "@" in urlsplit(realm).netloc:
        message = f"{expected} names a token service that is not a URL"
        return Problem(code="registry-realm-invalid", message=message, hint=_HINT), None
    if expected.startswith("https:") and actual.startswith("http:"):
        message = f"{expected} directs logins to {actual}, which is not encrypted; nothing was sent"
        return Problem(code="registry-realm-downgrade", message=message, hint=_HINT), None
    host = urlsplit(realm).hostname or ""
    why = "" if host == address.host.lower() else _describe_distance(host)
    return None, Problem(
        code="registry-realm-elsewhere", message=f"{expected} directs logins to {actual}{why}", hint=_HINT
    )


def _describe_distance(host: str) -> str:
    """Return why nodes cannot reach a host, "" if nothing is known against it."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            return ", which is each node itself"
        if host.endswith((".svc", ".cluster.local")):
            return ", a name that only pods can resolve"
        return "" if "." in host else ", a name without a domain that nodes may not resolve"
    if number.is_loopback or number.is_unspecified:
        return ", which is each node itself"
    return ", which other machines cannot reach" if number.is_link_local else ""

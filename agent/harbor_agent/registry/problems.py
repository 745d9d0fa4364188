"""Answers that a working registry does not give, as problems with a code each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.registry.http import describe_tls, format_origin

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.http import Answer

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SERVER_ERROR = 500
_LONGEST_NAME = 100


def is_registry(answer: Answer) -> bool:
    """Whether a 200 from /v2/ is a registry's: it has the API version header, or is a JSON object."""
    if "docker-distribution-api-version" in answer.headers:
        return True
    try:
        return isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False


def describe_unexpected(answer: Answer, url: str) -> Problem:
    """Return the problem of a status that no step expects."""
    server = format_origin(url)
    if answer.status in _REDIRECTS:
        return _describe_redirect(answer, url)
    # nginx says "The plain HTTP request was sent to HTTPS port", Go "Client sent an HTTP request to an HTTPS server"
    if answer.status == 400 and b"HTTPS" in answer.body:  # noqa: PLR2004  (Bad Request)
        return describe_tls(url)
    if answer.status == 429:  # noqa: PLR2004  (Too Many Requests)
        return Problem(
            code="registry-too-many-requests",
            message=f"{server} is rate limiting requests (HTTP 429)",
            hint="wait, or log in: registries limit anonymous requests more strictly",
        )
    if answer.status >= _SERVER_ERROR:
        return Problem(
            code="registry-server-error",
            message=f"{server} answers with a server error (HTTP {answer.status})",
            hint="check the registry's logs; all of Harbor's containers must be running",
        )
    return Problem(
        code="registry-not-a-registry",
        message=f"{server} is not a registry: {urlsplit(url).path} answers with HTTP {answer.status}",
        hint="check the port: Harbor uses the port of its web page, a plain registry usually 5000",
    )


def _describe_redirect(answer: Answer, url: str) -> Problem:
    try:
        target = format_origin(urljoin(url, answer.headers.get("location", "")))
    except ValueError:
        target = ""
    if url.startswith("http:") and target.startswith("https:"):
        return Problem(
            code="registry-redirects-to-https",
            message=f"{format_origin(url)} redirects every request to {target} (HTTP {answer.status}), "
            "which was not followed",
            hint=f"use {target}: with HTTPS on, nodes need no setting for plain HTTP",
        )
    return Problem(
        code="registry-redirects",
        message=f"{format_origin(url)} redirects requests to {target or 'an invalid URL'} (HTTP {answer.status}), "
        "which was not followed",
        hint="use the registry's own address",
    )


def describe_rejected_login(address: Address, username: str) -> Problem:
    """Return the problem of a login that the registry rejects; it does not contain the password."""
    return Problem(
        code="registry-credentials-wrong",
        message=f"{address} rejects the login of '{username}'",
        hint="check user name and password; a robot account is named robot$project+name, may be disabled or expired, "
        "and its $ must be quoted in a shell",
    )


def describe_rejected_token(address: Address, realm: str) -> Problem:
    """Return the problem of a registry that rejects its token service's token."""
    return Problem(
        code="registry-token-refused",
        message=f"{address} rejects the token that {format_origin(realm)} issued for the login",
        hint="check the clocks of both, and that the registry trusts the token service's certificate",
    )


def find_unhealthy(address: Address, answer: Answer) -> Problem | None:
    """Return what Harbor's health document reports as find_unhealthy, None if nothing."""
    try:
        document = json.loads(answer.body)
        status = document["status"]
        parts = [part["name"] for part in document.get("components", ()) if part.get("status") != "healthy"]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    if status == "healthy":
        return None
    named = f": {_shorten(', '.join(map(str, parts)))}" if parts else ""
    return Problem(
        code="registry-unhealthy",
        message=f"Harbor at {address} reports that it is {_shorten(str(status))}{named}",
        hint="check those containers on the Harbor host; pulls may fail until they are healthy",
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"

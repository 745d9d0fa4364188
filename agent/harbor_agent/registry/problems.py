"""What an answer means that is not the one a working registry gives; each has a code of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.registry.http import place, tls_on_http

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.http import Answer

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SERVER_ERROR = 500
_LONGEST_NAME = 100


def is_registry(answer: Answer) -> bool:
    """Whether a 200 from /v2/ is a registry's: it names the API's version, or is a JSON object."""
    if "docker-distribution-api-version" in answer.headers:
        return True
    try:
        return isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False


def unexpected(answer: Answer, url: str) -> Problem:
    """Return what a status means that none of the steps can go on from."""
    where = place(url)
    if answer.status in _REDIRECTS:
        return _redirected(answer, url)
    # nginx says "The plain HTTP request was sent to HTTPS port", Go "Client sent an HTTP request to an HTTPS server"
    if answer.status == 400 and b"HTTPS" in answer.body:  # noqa: PLR2004  (Bad Request)
        return tls_on_http(url)
    if answer.status == 429:  # noqa: PLR2004  (Too Many Requests)
        return Problem(
            code="registry-too-many-requests",
            message=f"{where} answers no more for now (HTTP 429)",
            hint="wait, or log in: registries count anonymous requests more strictly",
        )
    if answer.status >= _SERVER_ERROR:
        return Problem(
            code="registry-server-error",
            message=f"{where} answers with an error of its own (HTTP {answer.status})",
            hint="look at the registry's logs; with Harbor, all its containers must be up",
        )
    return Problem(
        code="registry-not-a-registry",
        message=f"{where} is no registry: {urlsplit(url).path} answers with HTTP {answer.status}",
        hint="check the port: Harbor's is that of its web page, a plain registry's usually 5000",
    )


def _redirected(answer: Answer, url: str) -> Problem:
    try:
        target = place(urljoin(url, answer.headers.get("location", "")))
    except ValueError:
        target = ""
    if url.startswith("http:") and target.startswith("https:"):
        return Problem(
            code="registry-redirects-to-https",
            message=f"{place(url)} sends every request on to {target} (HTTP {answer.status}); it was not followed",
            hint=f"write {target}: the registry has HTTPS on, and no node needs to be told about plain HTTP",
        )
    return Problem(
        code="registry-redirects",
        message=f"{place(url)} sends requests on to {target or 'nowhere'} (HTTP {answer.status}); it was not followed",
        hint="give the address that the registry has itself",
    )


def credentials_wrong(address: Address, username: str) -> Problem:
    """Return the problem of a login that the registry does not take; the password is not in it."""
    return Problem(
        code="registry-credentials-wrong",
        message=f"{address} does not accept the login of '{username}'",
        hint="check user name and password; a robot account is named robot$project+name, may be disabled or expired, "
        "and its $ must not have met a shell",
    )


def token_refused(address: Address, realm: str) -> Problem:
    """Return the problem of a token service and a registry that do not belong together."""
    return Problem(
        code="registry-token-refused",
        message=f"{address} does not accept the token that {place(realm)} gave for the login",
        hint="check the clocks of both, and that the registry trusts the token service's certificate",
    )


def unhealthy(address: Address, answer: Answer) -> Problem | None:
    """Return what Harbor's health document says is wrong, None where nothing is."""
    try:
        document = json.loads(answer.body)
        status = document["status"]
        parts = [part["name"] for part in document.get("components", ()) if part.get("status") != "healthy"]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    if status == "healthy":
        return None
    named = f": {_cut(', '.join(map(str, parts)))}" if parts else ""
    return Problem(
        code="registry-unhealthy",
        message=f"Harbor at {address} says that it is {_cut(str(status))}{named}",
        hint="look at those containers on the Harbor host; pulls may fail until they are healthy",
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"

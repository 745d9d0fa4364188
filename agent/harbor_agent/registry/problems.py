"""Answers that a working registry does not give, as problems with a code each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.registry.origin import format_origin
from harbor_agent.registry.reason import clean_text, is_web_page
from harbor_agent.registry.retry import find_retry_after
from harbor_agent.registry.transport_problems import describe_tls

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.answer import Answer

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BAD_REQUEST, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 400, 403, 429, 500
# Statuses with which a web application firewall or a proxy answers in place of the registry.
_BLOCKING = frozenset({403, 406, 418, 451})
_LONGEST_NAME = 100
_READ_ONLY = re.compile(r"read[- ]?only", re.IGNORECASE)
_SIGN_ON = re.compile(
    r"\b(login|log-in|logon|sign-?in|sso|saml2?|oauth2?|oidc|openid(-connect)?|authorize|adfs|cas|keycloak|auth)\b",
    re.IGNORECASE,
)


def is_registry(answer: Answer) -> bool:
    """Whether a 200 from /v2/ is a registry's: it has the API version header, or is a JSON object."""
    if "docker-distribution-api-version" in answer.headers:
        return True
    try:
        return isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False


def is_read_only(answer: Answer) -> bool:
    """Whether the reason of an answer is that the registry is in read-only mode."""
    return bool(_READ_ONLY.search(answer.reason))


def describe_unexpected(answer: Answer, url: str, *, is_known: bool = False, login: str = "") -> Problem:
    """Return the problem of a status that no step expects.

    `is_known` is whether the server has already answered as a registry; `login` is added to the message.
    """
    server, status = format_origin(url), answer.status
    reason = f": {answer.reason}" if answer.reason else ""
    if status in _REDIRECTS:
        return _describe_redirect(answer, url)
    # nginx says "The plain HTTP request was sent to HTTPS port", Go "Client sent an HTTP request to an HTTPS server"
    if status == _BAD_REQUEST and b"HTTPS" in answer.body and not is_known:
        return describe_tls(url)
    if status == _TOO_MANY or status >= _SERVER_ERROR or (is_known and is_read_only(answer)):
        return _describe_temporary(answer, server)
    if status in _BLOCKING and is_web_page(answer.body):
        return Problem(
            code="registry-request-refused",
            message=f"a firewall or proxy in front of {server} blocks requests (HTTP {status}){reason}",
            hint="exempt /v2/ and the token service from its rules, for this machine and the nodes",
        )
    if status == _FORBIDDEN or is_known:
        path = clean_text(urlsplit(url).path)
        return Problem(
            code="registry-request-refused",
            message=f"{server} refuses the request for {path} (HTTP {status}){reason}{login}",
            hint="read the registry's log, and its rules for addresses, users and projects",
        )
    return _describe_stranger(answer, url)


def _describe_stranger(answer: Answer, url: str) -> Problem:
    """Return the problem of a server that is not a registry."""
    path = clean_text(urlsplit(url).path)
    page = f", a web page: {answer.reason}" if is_web_page(answer.body) and answer.reason else ""
    hint = "check the port: Harbor uses the port of its web page, a plain registry usually 5000"
    if page and _SIGN_ON.search(page.replace(" ", "")):
        hint = "exempt /v2/ and the token service from single sign-on, or use the registry's own address"
    return Problem(
        code="registry-not-a-registry",
        message=f"{format_origin(url)} is not a registry: {path} answers with HTTP {answer.status}{page}",
        hint=hint,
    )


def _describe_temporary(answer: Answer, server: str) -> Problem:
    """Return the problem of a rate limit, a read-only mode or a server error."""
    reason = f": {answer.reason}" if answer.reason else ""
    seconds = find_retry_after(answer)
    wait = f", and asks to wait {seconds:.0f} s" if seconds else ""
    if answer.status == _TOO_MANY:
        return Problem(
            code="registry-too-many-requests",
            message=f"{server} is rate limiting requests (HTTP 429){wait}{reason}",
            hint="wait, or log in: registries limit anonymous requests more strictly",
        )
    if is_read_only(answer):
        return Problem(
            code="registry-server-error",
            message=f"{server} is in read-only mode (HTTP {answer.status}){reason}",
            hint="end the registry's read-only mode; in Harbor: Administration, Configuration, System Settings",
        )
    return Problem(
        code="registry-server-error",
        message=f"{server} answers with a server error (HTTP {answer.status}){wait}{reason}",
        hint="check the registry's logs; all of Harbor's containers must be running",
    )


def _describe_redirect(answer: Answer, url: str) -> Problem:
    location = answer.headers.get("location", "")
    try:
        full = urljoin(url, location)
        target, page = format_origin(full), f"{urlsplit(full).hostname}{urlsplit(full).path}".replace("_", "-")
    except ValueError:
        target, page = "", ""
    if target and _SIGN_ON.search(page):
        return Problem(
            code="registry-redirects",
            message=f"{format_origin(url)} redirects requests to a login page at {target} (HTTP {answer.status}), "
            "which was not followed: docker cannot log in through single sign-on",
            hint="exempt /v2/ and the token service from single sign-on, or use the registry's own address",
        )
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
    text = clean_text(text)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"

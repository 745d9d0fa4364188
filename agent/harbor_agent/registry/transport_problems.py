"""Requests that got no answer, as problems with a code each."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from harbor_agent.errors import Problem
from harbor_agent.registry.origin import format_origin
from harbor_agent.registry.reason import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 10, 62, 64  # X509_V_ERR_… of OpenSSL


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request as its problems name it. `limit` and `timeout` are seconds for the answer and for the connection.

    `answered` is whether this server has answered before; `name` is what is requested, such as "the token service", and
    `body` what is sent with it.
    """

    url: str
    name: str = ""
    proxy: str | None = field(default=None, repr=False)
    limit: float
    timeout: float
    answered: bool = False
    body: bytes = field(default=b"", repr=False)

    @property
    def origin(self) -> str:
        """The server, as it may be printed."""
        return format_origin(self.url)


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that led to it."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def describe_error(error: Exception, question: Question) -> Problem:
    """Return the problem of a request that ended with `error`."""
    url, proxy = question.url, question.proxy
    causes = list(list_causes(error))
    system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    reason = (system.strerror if system else None) or _describe_cause(causes)
    if proxy and any(
        isinstance(cause, socket.gaierror | ConnectionRefusedError | httpx2.ProxyError) for cause in causes
    ):
        return Problem(
            code="registry-proxy-failed",
            message=f"proxy {format_origin(proxy)} did not forward a request to {format_origin(url)}: {reason}",
            hint="if the registry is inside the network, add it to NO_PROXY",
        )
    found = (_recognise_cause(cause, question) for cause in causes)
    unknown = Problem(
        code="registry-unreachable",
        message=f"cannot reach {format_origin(url)}: {reason}",
        hint=f"try 'curl -v {format_origin(url)}/v2/' here; nodes may reach it another way",
    )
    return next(filter(None, found), unknown)


def _describe_cause(causes: Sequence[BaseException]) -> str:
    """Return the error's own message, unless it could quote a token or a proxy's password."""
    error = causes[0]
    if any(isinstance(cause, httpx2.InvalidURL) for cause in causes):
        return "its URL or a proxy's URL is invalid"
    if any(isinstance(cause, httpx2.LocalProtocolError | UnicodeEncodeError) for cause in causes):
        return "the login or token contains a character that an HTTP header cannot contain"
    return clean_text(str(error)) or type(error).__name__


def _recognise_cause(cause: BaseException, question: Question) -> Problem | None:
    url = question.url
    match cause:
        case socket.gaierror():
            code = "registry-name-unresolved"
            message = f"{urlsplit(url).hostname} does not resolve from here"
            hint = "check the name, or add it to DNS or /etc/hosts"
        case ConnectionRefusedError():
            code = "registry-refused"
            message = f"nothing listens at {format_origin(url)}"
            hint = "check that the registry is running and that the port is right"
        case ssl.SSLCertVerificationError():
            return _describe_certificate(cause, url)
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE" | "HTTP_REQUEST"):
            code = "registry-http-on-https"
            message = f"{format_origin(url)} speaks plain HTTP, not HTTPS"
            hint = f"use http://{format_origin(url).removeprefix('https://')}"
        case httpx2.TimeoutException() | TimeoutError():
            return _describe_timeout(cause, question)
        case httpx2.RemoteProtocolError() if "illegal request line" in str(cause):
            # h11's message for an answer that begins with a control character: the alert of a TLS server
            return describe_tls(url)
        case _:
            return None
    return Problem(code=code, message=message, hint=hint)


def _describe_timeout(cause: BaseException, question: Question) -> Problem:
    """Return a timeout's problem; a server that accepted the connection or answered before is slow, not blocked."""
    name = f"{question.name} at {question.origin}" if question.name else question.origin
    if isinstance(cause, httpx2.ReadTimeout) and question.name and question.limit != question.timeout:
        return Problem(
            code="registry-slow",
            message=f"{name} did not answer within {question.limit:g} s, although the registry itself answers",
            hint="check how long the registry waits for its directory (LDAP, OIDC), database, storage or upstream, or "
            "allow more with answer_timeout in harbor-agent.yaml",
        )
    limit = question.timeout if isinstance(cause, httpx2.ConnectTimeout) else question.limit
    return Problem(
        code="registry-timeout",
        message=f"{name} did not answer within {limit:g} s",
        hint="check the load of the server" if question.answered else "check firewalls and that the port is right",
    )


def _describe_certificate(cause: ssl.SSLCertVerificationError, url: str) -> Problem:
    hint = "install its CA in the system's trust store, here and on the nodes"
    if cause.verify_code == _EXPIRED:
        hint = "renew the registry's certificate"
    if cause.verify_code in {_WRONG_NAME, _WRONG_ADDRESS}:
        hint = "use a name that the certificate contains, or issue a certificate for this name"
    message = f"the certificate of {format_origin(url)} is not trusted: {cause.verify_message}"
    return Problem(code="registry-certificate", message=message, hint=hint)


def describe_tls(url: str) -> Problem:
    """Return the problem of a port that speaks TLS although `url` says plain HTTP."""
    return Problem(
        code="registry-tls-on-http",
        message=f"{format_origin(url)} speaks HTTPS, not plain HTTP",
        hint=f"use https://{format_origin(url).removeprefix('http://')}, or specify the plain HTTP port",
    )

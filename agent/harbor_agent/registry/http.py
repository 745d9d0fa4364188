"""Requests to a registry: no redirects, no cookies, no login that was not passed, and errors as values."""

from __future__ import annotations

import os
import socket
import ssl
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from harbor_agent.errors import Problem
from harbor_agent.local.proxy import find_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.sensitive import Sensitive

_LARGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry's answer of any status; at most 1 MiB of its body."""

    status: int
    headers: httpx2.Headers
    body: bytes = field(repr=False)


class HttpClient:
    """An HTTP(S) client. `timeout` is seconds for each step of a request and for the whole of a body.

    It follows no redirects and keeps no cookies, so a login is sent only to the URL it is given for. Certificates are
    checked against the system's trust store. `proxies` are those that were used, without user information.
    """

    def __init__(self, *, timeout: float) -> None:
        """Send nothing yet."""
        self._timeout = timeout
        self.proxies: set[str] = set()

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def request(
        self, method: str, url: str, *, authorization: Sensitive | None = None, accept: str = "*/*"
    ) -> Answer | Problem:
        """Return the answer to one request on a connection of its own, or why there is no answer."""
        headers = {"Accept": accept, "User-Agent": "harbor-agent"}
        if authorization:
            headers["Authorization"] = authorization.reveal()
        proxy = find_proxy(url, os.environ)
        if proxy and _is_cut_short(proxy):
            return Problem(
                code="registry-proxy-failed",
                message="the proxy URL in the environment has an @ after its host, so its password is cut off",
                hint="encode #, / and ? in the proxy's password as %23, %2F and %3F",
            )
        if proxy:
            self.proxies.add(format_origin(proxy))
        try:
            with (
                httpx2.Client(
                    timeout=self._timeout, verify=self._trust, proxy=proxy, trust_env=False, follow_redirects=False
                ) as client,
                client.stream(method, url, headers=headers) as response,
            ):
                return Answer(status=response.status_code, headers=response.headers, body=self._read(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ImportError, ValueError) as error:
            # ImportError and ValueError: a proxy with a scheme that httpx2 does not support, a realm that is not a URL
            return _describe_error(error, url, proxy, self._timeout)

    def _read(self, response: httpx2.Response) -> bytes:
        end = time.monotonic() + self._timeout
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LARGEST_BODY:
                break
            if time.monotonic() > end:
                raise httpx2.ReadTimeout("the body took too long")
        return body[:_LARGEST_BODY]


def format_origin(url: str) -> str:
    """Return scheme, host and port of a URL: the part of a foreign URL that may be printed; "" if it is not a URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    return f"{parts.scheme}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


def _is_cut_short(proxy: str) -> bool:
    """Whether a character of the password ended the host of a proxy's URL (RFC 3986, 3.2)."""
    parts = urlsplit(proxy)
    return "@" in parts.path + parts.query + parts.fragment


def is_same_origin(first: str, second: str) -> bool:
    """Whether two URLs have the same scheme, host and port; a default port may be omitted."""

    def normalise(url: str) -> str:
        name = format_origin(url)
        return name.removesuffix(":80" if name.startswith("http:") else ":443")

    return normalise(first) == normalise(second) != ""


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _describe_error(error: Exception, url: str, proxy: str | None, timeout: float) -> Problem:
    causes = list(_list_causes(error))
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
    found = (_recognise_cause(cause, url, timeout) for cause in causes)
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
    return str(error) or type(error).__name__


def _recognise_cause(cause: BaseException, url: str, timeout: float) -> Problem | None:
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
            code = "registry-certificate"
            message = f"the certificate of {format_origin(url)} is not trusted: {cause.verify_message}"
            hint = "install its CA in the system's trust store, here and on the nodes"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE" | "HTTP_REQUEST"):
            code = "registry-http-on-https"
            message = f"{format_origin(url)} speaks plain HTTP, not HTTPS"
            hint = f"use http://{format_origin(url).removeprefix('https://')}"
        case httpx2.TimeoutException() | TimeoutError():
            code = "registry-timeout"
            message = f"{format_origin(url)} did not answer within {timeout:g} s"
            hint = "check firewalls and that the port is right"
        case httpx2.RemoteProtocolError() if "illegal request line" in str(cause):
            # h11's message for an answer that begins with a control character: the alert of a TLS server
            return describe_tls(url)
        case _:
            return None
    return Problem(code=code, message=message, hint=hint)


def describe_tls(url: str) -> Problem:
    """Return the problem of a port that speaks TLS although `url` says plain HTTP."""
    return Problem(
        code="registry-tls-on-http",
        message=f"{format_origin(url)} speaks HTTPS, not plain HTTP",
        hint=f"use https://{format_origin(url).removeprefix('http://')}, or specify the plain HTTP port",
    )

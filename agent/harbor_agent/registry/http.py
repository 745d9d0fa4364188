"""Requests to a registry: nothing is followed, kept or sent that was not asked for, and trouble is a value."""

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
    """A registry's answer, whatever its status; at most 1 MiB of its body."""

    status: int
    headers: httpx2.Headers
    body: bytes = field(repr=False)


class Web:
    """Asks over HTTP(S). `timeout` is seconds for each step of a request and for the whole of a body.

    Redirects are not followed and no cookies are kept, so a login goes nowhere but to the URL it is given for.
    Certificates are checked against the system's store. `proxies` are those that were used, without user
    information.
    """

    def __init__(self, *, timeout: float) -> None:
        """Ask nothing yet."""
        self._timeout = timeout
        self.proxies: set[str] = set()

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def ask(
        self, method: str, url: str, *, authorization: Sensitive | None = None, accept: str = "*/*"
    ) -> Answer | Problem:
        """Return the answer to one request on a connection of its own, or why there is none."""
        headers = {"Accept": accept, "User-Agent": "harbor-agent"}
        if authorization:
            headers["Authorization"] = authorization.reveal()
        proxy = find_proxy(url, os.environ)
        if proxy and _is_cut_short(proxy):
            return Problem(
                code="registry-proxy-failed",
                message="the address of the proxy in the environment has an @ behind its host, so its password is cut",
                hint="write #, / and ? of a proxy's password as %23, %2F and %3F",
            )
        if proxy:
            self.proxies.add(place(proxy))
        try:
            with (
                httpx2.Client(
                    timeout=self._timeout, verify=self._trust, proxy=proxy, trust_env=False, follow_redirects=False
                ) as client,
                client.stream(method, url, headers=headers) as response,
            ):
                return Answer(status=response.status_code, headers=response.headers, body=self._read(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ImportError, ValueError) as error:
            # ImportError and ValueError: a proxy whose scheme httpx2 cannot speak, a realm that is no URL
            return _problem(error, url, proxy, self._timeout)

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


def place(url: str) -> str:
    """Return scheme, host and port of a URL: what may be printed of one that came from elsewhere; "" for no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    return f"{parts.scheme}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


def _is_cut_short(proxy: str) -> bool:
    """Whether what was meant as a password ends the host of a proxy's URL (RFC 3986, 3.2); nothing of it is printed."""
    parts = urlsplit(proxy)
    return "@" in parts.path + parts.query + parts.fragment


def same_origin(first: str, second: str) -> bool:
    """Whether two URLs have scheme, host and port in common; a default port may be written or not."""

    def origin(url: str) -> str:
        name = place(url)
        return name.removesuffix(":80" if name.startswith("http:") else ":443")

    return origin(first) == origin(second) != ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _problem(error: Exception, url: str, proxy: str | None, timeout: float) -> Problem:
    causes = list(_causes(error))
    system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    reason = (system.strerror if system else None) or _words(causes)
    if proxy and any(
        isinstance(cause, socket.gaierror | ConnectionRefusedError | httpx2.ProxyError) for cause in causes
    ):
        return Problem(
            code="registry-proxy-failed",
            message=f"the proxy {place(proxy)} did not pass a request on to {place(url)}: {reason}",
            hint="a registry inside the network belongs in NO_PROXY",
        )
    found = (_explain(cause, url, timeout) for cause in causes)
    unknown = Problem(
        code="registry-unreachable",
        message=f"{place(url)} cannot be asked: {reason}",
        hint=f"see what 'curl -v {place(url)}/v2/' says here; nodes may reach it on another way",
    )
    return next(filter(None, found), unknown)


def _words(causes: Sequence[BaseException]) -> str:
    """Return what an error says of itself, or what it is where its words would quote a token or a proxy's password."""
    error = causes[0]
    if any(isinstance(cause, httpx2.InvalidURL) for cause in causes):
        return "its URL, or that of a proxy, cannot be used"
    if any(isinstance(cause, httpx2.LocalProtocolError | UnicodeEncodeError) for cause in causes):
        return "the login or token for it holds a character that no request can carry"
    return str(error) or type(error).__name__


def _explain(cause: BaseException, url: str, timeout: float) -> Problem | None:
    match cause:
        case socket.gaierror():
            code = "registry-name-unresolved"
            message = f"the name {urlsplit(url).hostname} does not resolve from here"
            hint = "check the name, or enter it in DNS or /etc/hosts"
        case ConnectionRefusedError():
            code = "registry-refused"
            message = f"nothing listens at {place(url)}"
            hint = "check that the registry runs and that the port is right"
        case ssl.SSLCertVerificationError():
            code = "registry-certificate"
            message = f"the certificate of {place(url)} is not trusted: {cause.verify_message}"
            hint = "install its CA in the system's store, here and on the nodes"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE" | "HTTP_REQUEST"):
            code = "registry-http-on-https"
            message = f"{place(url)} speaks plain HTTP, not HTTPS"
            hint = f"write http://{place(url).removeprefix('https://')}"
        case httpx2.TimeoutException() | TimeoutError():
            code = "registry-timeout"
            message = f"{place(url)} did not answer within {timeout:g} s"
            hint = "check firewalls and that the port is right"
        case httpx2.RemoteProtocolError() if "illegal request line" in str(cause):
            # what h11 says of an answer that begins with a control character: the alert of a TLS server
            return tls_on_http(url)
        case _:
            return None
    return Problem(code=code, message=message, hint=hint)


def tls_on_http(url: str) -> Problem:
    """Return the problem of a port that speaks TLS where `url` expects plain HTTP."""
    return Problem(
        code="registry-tls-on-http",
        message=f"{place(url)} speaks HTTPS, not plain HTTP",
        hint=f"write https://{place(url).removeprefix('http://')}, or give the port of plain HTTP",
    )

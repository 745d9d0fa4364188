"""Requests to a registry: no redirects, no cookies, no login that was not passed, and errors as values."""

from __future__ import annotations

import os
import socket
import ssl
import time
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import httpx2

from harbor_agent.errors import Problem
from harbor_agent.local.proxy import find_proxy
from harbor_agent.registry.answer import Answer
from harbor_agent.registry.deadline import Deadline
from harbor_agent.registry.origin import format_origin, is_cut_short
from harbor_agent.registry.retry import find_pause
from harbor_agent.registry.transport_problems import Question, describe_error, list_causes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.sensitive import Sensitive

_LARGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach a registry. `timeout` is for a connection, and for the answer of a server before any has answered.

    `patience` is for each later answer: a token service waits for a directory, a proxy project for its upstream.
    Both are seconds. `authorities` are CAs in PEM beside those of the system, `client` the files of a client
    certificate and of its key. `addresses` are those of hosts whose names may not resolve here. Only for what is
    public and is judged by its own fingerprint, `is_verified` may be false: then any certificate is accepted.
    `attempts` is how often a request is sent that no server answered, or that it answered with "later".
    """

    timeout: float = 10.0
    patience: float = 60.0
    authorities: str = ""
    client: tuple[str, str] | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    is_verified: bool = True
    attempts: int = 3


class HttpClient:
    """An HTTP(S) client.

    It follows no redirects and keeps no cookies, so a login is sent only to the URL it is given for. Certificates are
    checked against the system's trust store and the CAs given. `proxies` are those that were used, without user
    information. `hidden` is masked in reasons.
    """

    def __init__(self, connection: Connection, hidden: tuple[str, ...] = ()) -> None:
        """Send nothing yet."""
        self._connection = connection
        self._hidden = hidden
        self._answered: set[str] = set()
        self._waited = 0.0
        self.proxies: set[str] = set()

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        # Python 3.13 refuses certificates without key identifiers, which docker accepts
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self._connection.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._connection.authorities:
            # Go accepts a certificate that is itself among the authorities, and no common name in place of a SAN.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.hostname_checks_common_name = False
            context.load_verify_locations(cadata=self._connection.authorities)
        if self._connection.client:
            context.load_cert_chain(*self._connection.client)
        return context

    def request(
        self,
        method: str,
        url: str,
        *,
        authorization: Sensitive | None = None,
        accept: str = "*/*",
        name: str = "",
    ) -> Answer | Problem:
        """Return the answer to one request on a connection of its own, or why there is no answer.

        After a rate limit, 503 and a lost connection it is tried again. `name` is that of the request in problems, such
        as "the token service".
        """
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "harbor-agent"}
        if authorization:
            headers["Authorization"] = authorization.reveal()
        return self._ask(method, url, headers, name=name)

    def post(self, url: str, document: bytes) -> Answer | Problem:
        """Return the answer to a JSON document, or why there is no answer."""
        kind = "application/json; charset=utf-8"
        headers = {"Content-Type": kind, "Accept-Encoding": "identity", "User-Agent": "harbor-agent"}
        return self._ask("POST", url, headers, body=document)

    def _ask(
        self, method: str, url: str, headers: dict[str, str], *, name: str = "", body: bytes = b""
    ) -> Answer | Problem:
        """Return the answer to a request or to one of its repetitions."""
        proxy = find_proxy(url, os.environ)
        if proxy and is_cut_short(proxy):
            return Problem(
                code="registry-proxy-failed",
                message="the proxy URL in the environment has an @ after its host, so its password is cut off",
                hint="encode #, / and ? in the proxy's password as %23, %2F and %3F",
            )
        if proxy:
            self.proxies.add(format_origin(proxy))
        answered = format_origin(url) in self._answered
        limit = self._connection.patience if self._answered else self._connection.timeout
        question = Question(
            url=url, name=name, proxy=proxy, limit=limit, timeout=self._connection.timeout, answered=answered, body=body
        )
        outcome, attempt = self._send(method, headers, question), 0
        while (pause := find_pause(outcome, attempt, self._waited, self._connection.attempts)) is not None:
            time.sleep(pause)
            self._waited += pause
            attempt += 1
            outcome = self._send(method, headers, question)
        return outcome if isinstance(outcome, Answer) else describe_error(outcome, question)

    def _send(self, method: str, headers: dict[str, str], question: Question) -> Answer | Exception:
        """Return the answer to one attempt, or the error that ended it.

        A name that does not resolve is asked for at its address, if that is known.
        """
        outcome = self._exchange(method, question.url, headers, question)
        if isinstance(outcome, Answer) or not any(isinstance(cause, socket.gaierror) for cause in list_causes(outcome)):
            return outcome
        url = httpx2.URL(question.url)
        address = None if question.proxy else self._connection.addresses.get(url.host)
        if address is None:
            return outcome
        headers = {**headers, "Host": url.netloc.decode("ascii")}
        return self._exchange(method, str(url.copy_with(host=address)), headers, question, sni_hostname=url.host)

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], question: Question, **extensions: str
    ) -> Answer | Exception:
        """Return the answer to a request, or the error that ended it."""
        start, deadline = time.monotonic(), Deadline(question.limit + self._connection.timeout)
        timeout = httpx2.Timeout(question.limit, connect=self._connection.timeout)
        try:
            with (
                deadline,
                httpx2.Client(
                    timeout=timeout, verify=self._trust, proxy=question.proxy, trust_env=False, follow_redirects=False
                ) as client,
                client.stream(
                    method,
                    url,
                    headers=headers,
                    content=question.body or None,
                    extensions={"trace": deadline.trace, **extensions},
                ) as response,
            ):
                certificate = _find_certificate(response)
                body = _read(response, start + question.limit)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ImportError, ValueError) as error:
            # ImportError and ValueError: a proxy with a scheme that httpx2 does not support, a realm that is not a URL
            return httpx2.ReadTimeout("the answer took too long") if deadline.has_passed else error
        self._answered.add(format_origin(question.url))
        seconds = time.monotonic() - start
        hidden = (*self._hidden, headers.get("Authorization", "").partition(" ")[2])
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            seconds=seconds,
            hidden=hidden,
            certificate=certificate,
        )


def _find_certificate(response: httpx2.Response) -> bytes:
    """Return the server's certificate (DER), b"" without TLS; only an open connection has it."""
    connection = response.extensions["network_stream"].get_extra_info("ssl_object")
    return connection.getpeercert(True) or b"" if connection else b""  # noqa: FBT003 - it takes no keywords


def _read(response: httpx2.Response, end: float) -> bytes:
    """Return the beginning of a body, decompressed although no compression was requested."""
    encoding = response.headers.get("content-encoding", "").lower()
    inflater = zlib.decompressobj(wbits=47) if encoding in {"gzip", "x-gzip", "deflate"} else None
    body = bytearray()
    for chunk in response.iter_raw():
        room = _LARGEST_BODY - len(body)
        try:
            body += inflater.decompress(chunk, room) if inflater else chunk[:room]
        except zlib.error:
            break
        if len(body) >= _LARGEST_BODY:
            break
        if time.monotonic() > end:
            raise httpx2.ReadTimeout("the body took too long")
    return bytes(body)

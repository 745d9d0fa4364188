"""Registries that attack: each answer is bounded in size and time, and no login is sent to a server not named."""

from __future__ import annotations

import base64
import gzip
import re
import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.http import Connection
from harbor_agent.registry.validate import validate
from tests.cluster.answering import raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.errors import Problem

pytestmark = pytest.mark.field("attack-registries")
LOGIN = Credentials(username="u", password=Sensitive("canary"))
BASIC = base64.b64encode(b"u:canary")
LIMITS = Connection(timeout=2.0, patience=2.0)
OK = b"HTTP/1.1 200 OK\r\n"
BEARER = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="%b",service="x"\r\nContent-Length: 0\r\n\r\n'
ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e\r\nerror: "


@contextmanager
def thief() -> Iterator[tuple[str, list[bytes]]]:
    """Serve on a free port; yields the origin, and all bytes that are sent to it."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    received.append(connection.recv(65536))
                    connection.sendall(OK + b'Content-Length: 13\r\n\r\n{"token":"t"}')

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            ended.set()
            thread.join()


def ask(port: int, **image: str) -> Problem | None:
    """Validate within bounds; fails if that takes long, or if any text shows a secret or a control character."""
    start = time.monotonic()
    validation = validate(Address.parse(f"http://127.0.0.1:{port}"), LOGIN, connection=LIMITS, **image)
    assert time.monotonic() - start < 30
    for problem in (validation.problem, *validation.notes):
        text = str(problem or "")
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]|canary", text), text
        assert BASIC.decode() not in text
        assert len(text) < 1000
    return validation.problem


def code_of(problem: Problem | None) -> str:
    return problem.code if problem else ""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with thief() as (origin, received):
        redirect = f"HTTP/1.1 {status} X\r\nLocation: {origin}/v2/\r\nContent-Length: 0\r\n\r\n".encode()
        with raw(redirect) as port:
            assert code_of(ask(port)) == "registry-redirects"
        assert received == []


def test_a_token_service_that_redirects_gets_the_login_and_nobody_else() -> None:
    with thief() as (origin, received):
        redirect = f"HTTP/1.1 307 X\r\nLocation: {origin}/steal\r\nContent-Length: 0\r\n\r\n".encode()
        with raw(redirect) as service, raw(BEARER % f"http://127.0.0.1:{service}/t".encode()) as port:
            assert code_of(ask(port)) == "registry-redirects"
        assert received == []


@pytest.mark.parametrize(
    "realm",
    [
        "file:///etc/shadow",
        "ftp://h/t",
        "//h/t",
        "http://u:p@127.0.0.1/t",
        "http://",
        "gopher://h",
        "http://a\x1b[2Jb/t",
    ],
)
def test_a_realm_that_is_not_a_url_gets_nothing(realm: str) -> None:
    with raw(BEARER % realm.encode()) as port:
        assert code_of(ask(port)) in {"registry-realm-invalid", "registry-unreachable"}


def test_an_endless_body_is_cut() -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 500) as port:
        tracemalloc.start()
        assert code_of(ask(port)) == "registry-not-a-registry"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 80 << 20


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"GZIP", b"br", b"zstd", b"gzip, gzip"])
def test_a_compressed_body_is_cut(encoding: bytes) -> None:
    bomb = gzip.compress(b"[" * (256 << 20), 9)
    head = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(bomb))
    with raw(head + bomb) as port:
        tracemalloc.start()
        assert code_of(ask(port)) == "registry-not-a-registry"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30 << 20


@pytest.mark.parametrize(
    "start",
    [
        OK + b"X: ",
        OK + b"Content-Length: 100000\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 ",
    ],
)
def test_a_slow_drip_ends(start: bytes) -> None:
    drip = b"1\r\nx\r\n" if b"chunked" in start else b"1"
    with raw(start, *[drip] * 1000, pause=0.1) as port:
        assert code_of(ask(port)) in {"registry-timeout", "registry-unreachable"}


def test_endless_interim_answers_end() -> None:
    with raw(*[b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 1000, pause=0.05) as port:
        assert code_of(ask(port)) == "registry-timeout"


def test_endless_headers_end() -> None:
    with raw(OK, *[b"X-A: " + b"y" * 8000 + b"\r\n"] * 2000) as port:
        assert code_of(ask(port)) == "registry-unreachable"


def test_many_challenges_are_read_as_one() -> None:
    lines = b'WWW-Authenticate: Bearer realm="http://192.0.2.1/t"\r\n' * 1000
    last = b'WWW-Authenticate: Bearer realm="file:///x"\r\n'
    with raw(b"HTTP/1.1 401 No\r\n" + lines + last + b"Content-Length: 0\r\n\r\n") as port:
        assert code_of(ask(port)) == "registry-realm-invalid"


@pytest.mark.parametrize("status", [400, 403, 404, 412, 429, 500])
@pytest.mark.parametrize("form", ['{{"errors":[{{"code":"X","message":"{0}"}}]}}', "<html><title>{1}</title>", "{1}"])
def test_control_characters_and_the_login_are_not_printed(status: int, form: str) -> None:
    text = f"{ESCAPE}u:canary {BASIC.decode()} {'long ' * 500}"
    escaped = text.encode("unicode_escape").decode().replace("\\x", "\\u00")
    body = form.format(escaped, text).encode()
    reply = b"HTTP/1.1 %d \x1b[2J\r\nRetry-After: 9999\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    with raw(reply + body) as port:
        assert ask(port)


def test_foreign_names_are_cleaned_in_every_place() -> None:
    location = b"HTTP/1.1 302 X\r\nLocation: http://a\x1b[2Jb/\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n"
    with raw(location) as port:
        assert code_of(ask(port)) in {"registry-redirects", "registry-unreachable"}


@pytest.mark.parametrize(
    "after", [b"-1", b"1e9", b"nan", b"99999999999999999999", b"Fri, 99 Foo 2026", b"\xff", b"3600"]
)
def test_a_retry_after_is_bounded(after: bytes) -> None:
    with raw(b"HTTP/1.1 503 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % after) as port:
        assert code_of(ask(port)) == "registry-server-error"

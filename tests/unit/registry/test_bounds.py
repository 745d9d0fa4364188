"""Whatever a registry sends, its answer is bounded in size and in time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import Problem
from harbor_agent.registry.http import Connection, HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.field("attack-registries")

_CONNECTION = Connection(timeout=1.0, patience=1.0)
_PATIENT = Connection()
_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def sending(send: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve connections with `send` until the client has gone; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        send(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


def send_without_end(connection: socket.socket) -> None:
    connection.sendall(_HEAD + b"\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def send_bomb(connection: socket.socket) -> None:
    packer = zlib.compressobj(wbits=31)
    body = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(64)) + packer.flush()
    connection.sendall(_HEAD + b"Content-Encoding: gzip\r\n\r\n" + body)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(_HEAD + b"\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.2)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(_HEAD)
    while True:
        connection.sendall(b"X: y\r\n")
        time.sleep(0.2)


@pytest.mark.parametrize("send", [send_without_end, send_bomb])
def test_a_body_has_a_largest_size(send: Callable[[socket.socket], None]) -> None:
    with sending(send) as url:
        answer = HttpClient(_PATIENT).request("GET", url)
    assert not isinstance(answer, Problem), answer
    assert len(answer.body) <= 1 << 20


@pytest.mark.parametrize("send", [drip_body, drip_headers])
def test_a_slow_answer_has_an_end(send: Callable[[socket.socket], None]) -> None:
    started = time.monotonic()
    with sending(send) as url:
        answer = HttpClient(_CONNECTION).request("GET", url)
        seconds = time.monotonic() - started
    assert isinstance(answer, Problem)
    assert seconds < 15

"""A server that answers every request as it is told: for what no healthy registry says."""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.serving import Quiet, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Answerer = Callable[[str, str | None], "Reply"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0


@dataclass(kw_only=True)
class Answering:
    """`requests` are (path, Authorization header) of everything that was asked."""

    port: int
    requests: list[tuple[str, str | None]]


@contextmanager
def answering(replies: Mapping[str, Reply | Answerer]) -> Iterator[Answering]:
    """Serve on a free port of loopback: `replies` by path without query ("{port}" is filled in), 404 for others.

    One that depends on the request is a function of its method and Authorization header.
    """
    requests: list[tuple[str, str | None]] = []
    ended = threading.Event()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers.get("Authorization")))
            reply = replies.get(self.path.partition("?")[0], Reply(status=404))
            if not isinstance(reply, Reply):
                reply = reply(self.command, self.headers.get("Authorization"))
            ended.wait(reply.delay)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value.replace("{port}", str(self.server.server_address[1])))
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_HEAD = do_POST = do_PATCH = do_GET  # noqa: N815

    with serving(Handler) as server:
        try:
            yield Answering(port=server.server_port, requests=requests)
        finally:
            ended.set()


@contextmanager
def silent() -> Iterator[int]:
    """Accept connections on a free port of loopback and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def raw(*replies: bytes, pause: float = 0.0, lost: int = 0) -> Iterator[int]:
    """Answer every connection on a free port of loopback with these bytes, `pause` seconds apart, whatever is asked.

    The first `lost` connections are closed without an answer.
    """
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for number in itertools.count():
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    if ended.is_set():
                        return
                    connection.recv(65536)
                    for reply in replies if number >= lost else ():
                        connection.sendall(reply)
                        if ended.wait(pause):
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            ended.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(timeout=10)


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

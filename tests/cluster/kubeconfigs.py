"""Kubeconfigs of the tests, and servers with TLS and proxies that note what reaches them."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent.errors import AgentError
from harbor_agent.kubernetes.cluster import open_cluster
from tests.lab.certificates import write_certificate
from tests.serving import Quiet, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harbor_agent.errors import Problem
    from tests.lab.apiserver import RunningApiServer


REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def write(path: Path, cluster: dict[str, Any], user: dict[str, Any] | None, **context: Any) -> str:  # noqa: ANN401
    document = {
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "me", "user": user}] if user is not None else [],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", **({"user": "me"} if user else {}), **context}}],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def parts(apiserver: RunningApiServer, user: str = "admin") -> tuple[dict[str, Any], dict[str, Any]]:
    authority = base64.b64encode(apiserver.authority).decode()
    cluster = {"server": apiserver.url, "certificate-authority-data": authority}
    return cluster, {"token": apiserver.tokens[user]}


def refusal(config: str) -> Problem:
    with pytest.raises(AgentError) as caught:
        open_cluster(config, timeout=3)
    assert "canary" not in str(caught.value.problem)
    return caught.value.problem


@contextmanager
def tls_server(
    directory: Path, name: str, *replies: tuple[int, dict[str, str]], days: int = 2
) -> Iterator[tuple[int, list[Any]]]:
    """Answer any request with a review, after `replies` (status and headers); note SNI and headers of each.

    The certificate ends in so many days, unless there is one in `directory` already.
    """
    if not (directory / "crt").exists():
        write_certificate(directory / "crt", directory / "key", name, days=days)
    seen: list[Any] = []
    pending = list(replies)

    class Handler(Quiet, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers)
            status, headers = pending.pop(0) if pending else (201, {"Content-Type": "application/json"})
            body = json.dumps({"status": {"allowed": True}, "spec": {}}).encode() if status == 201 else b"busy"
            self.send_response(status)
            for header, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "crt", directory / "key")
    context.sni_callback = lambda _, asked, __: seen.append(asked)  # type: ignore[assignment]
    with serving(Handler, tls=context) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust us
        yield server.server_port, seen


@contextmanager
def proxies() -> Iterator[tuple[int, int, list[str]]]:  # noqa: C901 - two small servers
    """An HTTP proxy and a SOCKS5 proxy that know api.only-behind-proxy.test; note what passes."""
    passed: list[str] = []

    def pipe(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def join(client: socket.socket, port: int) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=pipe, args=(server, client), daemon=True)
            back.start()
            pipe(client, server)
            back.join()

    def http(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        host, _, port = head.split()[1].decode().rpartition(":")
        passed.append(f"http {host}")
        client.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
        join(client, int(port))

    def socks(client: socket.socket) -> None:
        client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x00")
        client.recv(4)
        host = client.recv(client.recv(1)[0]).decode()
        (port,) = struct.unpack(">H", client.recv(2))
        passed.append(f"socks {host}")
        client.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        join(client, port)

    def serve(listener: socket.socket, act: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=act, args=(client,), daemon=True).start()

    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for listener, act in zip(listeners, (http, socks), strict=True):
        threading.Thread(target=serve, args=(listener, act), daemon=True).start()
    yield listeners[0].getsockname()[1], listeners[1].getsockname()[1], passed
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

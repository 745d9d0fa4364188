"""A receiver of notifications: an HTTP(S) server of the test's own, which keeps what is posted to it."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.serving import Quiet, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Posted:
    path: str
    kind: str
    body: dict[str, Any]


@dataclass(kw_only=True)
class Receiver:
    url: str
    posted: list[Posted] = field(default_factory=list)


@contextmanager
def receiving(
    *, status: int = 200, reply: str = "ok", redirect: str = "", tls: dict[str, object] | None = None
) -> Iterator[Receiver]:
    """Serve on a free port of loopback, and answer every request with `status` and `reply`."""
    posted: list[Posted] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append(Posted(path=self.path, kind=self.headers["Content-Type"], body=json.loads(body)))
            self.send_response(status)
            if redirect:
                self.send_header("Location", redirect)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply.encode())

    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(tls["certificate"]), str(tls["key"]))
    with serving(Handler, tls=context) as server:
        yield Receiver(url=f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", posted=posted)


def write_private(file: Path, text: str) -> Path:
    """Write a file that only its owner reads."""
    file.touch(mode=0o600)
    file.write_text(text)
    return file

"""A server that answers two questions as an API server does: which nodes there are, and which namespaces."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RUNTIMES = ("containerd://1.7.2", "containerd://1.7.2", "docker://20.10.9")
_INFO = dict.fromkeys(
    (
        *("architecture", "bootID", "kernelVersion", "kubeProxyVersion", "kubeletVersion", "machineID"),
        *("operatingSystem", "osImage", "systemUUID"),
    ),
    "",
)
NAMESPACES = ("default", "demo", "shop")


def _list(kind: str, items: list[dict[str, object]]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {}, "items": items}


_OBJECTS = {
    "/api/v1/nodes": _list(
        "NodeList",
        [
            {"metadata": {"name": f"n{number}"}, "status": {"nodeInfo": _INFO | {"containerRuntimeVersion": runtime}}}
            for number, runtime in enumerate(_RUNTIMES)
        ],
    ),
    "/api/v1/namespaces": _list("NamespaceList", [{"metadata": {"name": name}} for name in NAMESPACES]),
}


@contextmanager
def serve_objects(kubeconfig: Path) -> Iterator[list[tuple[str, str]]]:
    """Serve on a free port, and write a kubeconfig for it; yields the requests, as method and path."""
    requests: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version: ClassVar[str] = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            requests.append((self.command, path))
            body = json.dumps(_OBJECTS.get(path, {})).encode()
            self.send_response(200 if path in _OBJECTS else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "demo"}},
            {"name": "there", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    kubeconfig.write_text(json.dumps(document), encoding="utf-8")
    try:
        yield requests
    finally:
        server.shutdown()
        server.server_close()

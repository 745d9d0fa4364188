"""A small stand-in for API servers that cannot run here: one of today has policy/v1, one before 1.16 knows no apply.

It keeps what it is given under its path and knows nothing of most resources; the contract suite in test_nodes.py
runs over it and over the real one.
"""

from __future__ import annotations

import itertools
import json
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.serving import Quiet, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
_CORE = [
    {"name": "pods", "namespaced": True, "kind": "Pod", "verbs": ["get"]},
    {"name": "pods/eviction", "namespaced": True, "group": "policy", "version": "v1", "kind": "Eviction", "verbs": []},
]


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A stand-in that answers; it can be asked as the real server can."""

    port: int
    directory: Path

    def kubeconfig(self) -> Path:
        """Write a kubeconfig and return its path."""
        path = self.directory / "kubeconfig.stand-in"
        document = {
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "it", "user": {"token": "any"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def ask(self, method: str, path: str, document: object = None, *, kind: str = "application/json") -> Json:
        """Ask, and return what it answers. Raises HTTPError for anything but success."""
        body = json.dumps(document).encode() if document is not None else None
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, {"Content-Type": kind}, method=method
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return json.load(answer)


class _RefusedError(Exception):
    def __init__(self, code: int, message: str, causes: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status = {"kind": "Status", "code": code, "message": message, "details": {"causes": causes or []}}


class _Store:
    """Objects by their path."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.versions = itertools.count(1)
        self.lock = threading.Lock()

    def answer(self, method: str, media: str, path: str, query: dict[str, list[str]], body: Json) -> Json:
        if media == "application/apply-patch+yaml":
            raise _RefusedError(415, "the body of the request was in an unknown format")
        if path == "/api/v1":
            return {"kind": "APIResourceList", "resources": _CORE}
        if path.endswith("selfsubjectaccessreviews"):
            return body | {"status": {"allowed": True}}
        if path.endswith("/eviction"):
            return self.evict(path.removesuffix("/eviction"), body)
        path = path.removesuffix("/status")
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            return self.keep(path, body)
        if method == "GET" and path not in self.objects:
            return self.list(path, query)
        found = self.found(path)
        if method == "DELETE":
            del self.objects[path]
        return self.keep(path, self.patched(found, body)) if method == "PATCH" else found

    def found(self, path: str) -> Json:
        if path not in self.objects:
            raise _RefusedError(404, f"{path} not found")
        return self.objects[path]

    def keep(self, path: str, body: Json) -> Json:
        _, _, namespaced = path.partition("/namespaces/")
        body["metadata"].setdefault("uid", f"uid-of-{path}")
        body["metadata"]["resourceVersion"] = str(next(self.versions))
        if namespaced:
            body["metadata"]["namespace"] = namespaced.split("/")[0]
        self.objects[path] = body
        return body

    def list(self, path: str, query: dict[str, list[str]]) -> Json:
        folder, _, plural = path.rpartition("/")
        if plural not in {"pods", "nodes"}:
            raise _RefusedError(404, f"{path} not found")
        node = query.get("fieldSelector", [""])[0].partition("=")[2]
        found = [
            body
            for name, body in self.objects.items()
            if name.startswith(f"{folder}/") and name.split("/")[-2] == plural
            if not node or body["spec"].get("nodeName") == node
        ]
        return {"kind": "List", "metadata": {}, "items": found}

    def patched(self, found: Json, patch: Json) -> Json:
        version = patch.get("metadata", {}).get("resourceVersion")
        if version not in {None, found["metadata"]["resourceVersion"]}:
            raise _RefusedError(409, "the object has been modified")
        return _merged(found, patch)

    def evict(self, path: str, body: Json) -> Json:
        if body.get("apiVersion") != "policy/v1":
            raise _RefusedError(400, f'no kind "Eviction" is registered for version "{body.get("apiVersion")}"')
        pod = self.found(path)
        folder = path.replace("/api/v1/", "/apis/policy/v1/").rpartition("/pods/")[0] + "/poddisruptionbudgets/"
        for name, budget in self.objects.items():
            labels = budget["spec"].get("selector", {}).get("matchLabels", {}).items() if "spec" in budget else ()
            covers = name.startswith(folder) and labels <= pod["metadata"]["labels"].items()
            if covers and not budget["status"]["disruptionsAllowed"]:
                words = f"The disruption budget {budget['metadata']['name']} needs 1 healthy pods and has 1 currently"
                causes = [{"reason": "DisruptionBudget", "message": words}]
                raise _RefusedError(429, "Cannot evict pod as it would violate the pod's disruption budget.", causes)
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return {"kind": "Status", "status": "Success", "code": 201}


def _merged(base: Json, patch: Json) -> Json:
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


@contextmanager
def standing_in(directory: Path) -> Iterator[StandIn]:
    """Serve on a free port of loopback until the block ends."""
    store = _Store()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            url, media = urlsplit(self.path), self.headers.get("Content-Type", "")
            try:
                with store.lock:
                    code, answer = 200, store.answer(self.command, media, url.path, parse_qs(url.query), body)
            except _RefusedError as refusal:
                code, answer = refusal.status["code"], refusal.status
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    with serving(Handler) as server:
        yield StandIn(port=server.server_port, directory=directory)

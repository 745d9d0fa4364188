"""A program: push a small image to a registry. Orders are JSON on stdin (tests/lab/registry.py); prints the digest."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import ssl
import sys
import tarfile
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode, urljoin

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Push:
    def __init__(self, orders: dict[str, Any]) -> None:
        context = ssl.create_default_context(cafile=orders["authority"]) if orders["authority"] else None
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        self._base = f"{orders['url']}/v2/{orders['repository']}"
        self._authorization = self._login(orders)

    def _login(self, orders: dict[str, Any]) -> str | None:
        if not orders["login"]:
            return None
        basic = "Basic " + base64.b64encode(":".join(orders["login"]).encode()).decode()
        try:
            self._opener.open(urllib.request.Request(f"{orders['url']}/v2/"), timeout=20).close()
        except urllib.error.HTTPError as error:
            challenge = dict(re.findall(r'(\w+)="([^"]*)"', error.headers["WWW-Authenticate"]))
            if not error.headers["WWW-Authenticate"].startswith("Bearer"):
                return basic
        else:
            return None
        query = urlencode({"service": challenge["service"], "scope": f"repository:{orders['repository']}:pull,push"})
        request = urllib.request.Request(f"{orders['url']}/service/token?{query}", headers={"Authorization": basic})
        with self._opener.open(request, timeout=20) as answer:
            return f"Bearer {json.load(answer)['token']}"

    def _ask(self, method: str, url: str, body: bytes | None, kind: str) -> str:
        headers = {"Content-Type": kind} | ({"Authorization": self._authorization} if self._authorization else {})
        request = urllib.request.Request(url, body, headers, method=method)
        with self._opener.open(request, timeout=20) as answer:
            return answer.headers.get("Location", "")

    def blob(self, content: bytes, kind: str) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        upload = urljoin(self._base + "/", self._ask("POST", f"{self._base}/blobs/uploads/", b"", kind))
        separator = "&" if "?" in upload else "?"
        self._ask("PUT", f"{upload}{separator}{urlencode({'digest': digest})}", content, "application/octet-stream")
        return {"mediaType": kind, "size": len(content), "digest": digest}

    def manifest(self, tag: str, document: dict[str, object]) -> str:
        content = json.dumps(document).encode()
        self._ask("PUT", f"{self._base}/manifests/{tag}", content, _MANIFEST)
        return "sha256:" + hashlib.sha256(content).hexdigest()


def _small_root() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        content = b"hello from the lab\n"
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def main() -> None:
    orders = json.load(sys.stdin)
    push = Push(orders)
    root = base64.b64decode(orders["root"]) if orders["root"] else _small_root()
    layer = push.blob(gzip.compress(root, mtime=0), _LAYER)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": orders["command"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(root).hexdigest()]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "the lab"}],
        "created": "2024-01-01T00:00:00Z",
    }
    described = push.blob(json.dumps(config).encode(), _CONFIG)
    document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": [layer]}
    print(push.manifest(orders["tag"], document))  # noqa: T201


if __name__ == "__main__":
    main()

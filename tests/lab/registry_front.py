"""A program: what stands before the registry in Harbor, on one address. `registry_front.py ORDERS.json`.

/service/token answers as Harbor's does: without a scope 401 to a wrong login; with one 200 and an anonymous token,
whose access is whatever anybody may pull. /api/v2.0/health is always 200. Everything else goes to the registry.
"""

from __future__ import annotations

import base64
import fnmatch
import http.client
import json
import secrets
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Tokens:
    """Signs tokens as distribution's token specification wants them (ES256, the certificate in `x5c`)."""

    def __init__(self, orders: dict[str, Any]) -> None:
        key = serialization.load_pem_private_key(Path(orders["key"]).read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        certificate = x509.load_pem_x509_certificate(Path(orders["certificate"]).read_bytes())
        self._certificate = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    def sign(self, subject: str, service: str, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        header = {"typ": "JWT", "alg": "ES256", "x5c": [self._certificate]}
        claims = {
            "iss": "harbor-token-issuer",
            "sub": subject,
            "aud": service,
            "exp": now + 1800,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        signed = f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Front(BaseHTTPRequestHandler):
    """One request; `orders` and `tokens` are set before serving."""

    protocol_version = "HTTP/1.1"
    orders: dict[str, Any]
    tokens: Tokens

    def handle_one_request(self) -> None:
        # docker tries HTTPS first; nginx answers the hello in plain HTTP, which is what docker then complains of
        if self.rfile.peek(1)[:1] == b"\x16":  # type: ignore[attr-defined]
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            self.close_connection = True
            return
        super().handle_one_request()

    def _any(self) -> None:
        parts = urlsplit(self.path)
        match parts.path:
            case "/service/token" if self.command == "POST":
                # Harbor has no OAuth there (src/core/service/token); containerd then asks as docker does.
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._json(405, {})
            case "/service/token":
                self._token(parse_qs(parts.query))
            case "/api/v2.0/health":
                status = self.orders["health"]
                parts_of_harbor = [{"name": "core", "status": "healthy"}, {"name": "registry", "status": status}]
                self._json(200, {"status": status, "components": parts_of_harbor})
            case "/api/v2.0/systeminfo/getcert" if self.orders["tls"]:
                self._authority(Path(self.orders["tls"]["certificate"]).read_bytes())
            case _:
                self._pass_on()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    def _login(self) -> dict[str, Any] | None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, password = base64.b64decode(encoded).decode().partition(":")
        accounts = self.orders["logins"]
        return next((a for a in accounts if a["name"] == name and a["password"] == password), None)

    def _token(self, query: dict[str, list[str]]) -> None:
        login = self._login()
        scopes = query.get("scope", [])
        if not scopes and not login:
            self._json(401, {"errors": [{"code": "UNAUTHORIZED", "message": "unauthorized: "}]})
            return
        access = [granted for scope in scopes if (granted := self._granted(scope, login))]
        subject = login["name"] if login else ""
        token = self.tokens.sign(subject, query.get("service", [""])[0], access)
        self._json(200, {"token": token, "access_token": "", "expires_in": 1800})

    def _granted(self, scope: str, login: dict[str, Any] | None) -> dict[str, object] | None:
        kind, _, rest = scope.partition(":")
        name, _, asked = rest.rpartition(":")
        may = {
            "pull": [*self.orders["public"], *(login["pull"] if login else [])],
            "push": login["push"] if login else [],
        }
        actions = [a for a in asked.split(",") if any(fnmatch.fnmatch(name, p) for p in may.get(a, []))]
        return {"type": kind, "name": name, "actions": actions}

    def _authority(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _json(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", int(Path(self.orders["upstream"]).read_text()), timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            # One by one: newer Docker says Accept once for each kind of manifest.
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP | {"content-length", "date", "server"}:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        finally:
            upstream.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        print(format % args, flush=True)  # noqa: T201


def main(path: str) -> None:
    orders = json.loads(Path(path).read_text())
    Front.orders = orders
    Front.tokens = Tokens(orders)
    server = ThreadingHTTPServer((orders["host"], orders["port"]), Front)
    if orders["tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(orders["tls"]["certificate"], orders["tls"]["key"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"listening on {orders['host']}:{server.server_address[1]}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])

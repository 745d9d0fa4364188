"""A kubeconfig means what kubectl takes it to mean; what is not supported is refused by its key."""

from __future__ import annotations

import base64
import json
import os
import pty
import socket
import ssl
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent.engine.secrets.sync import apply_secret
from harbor_agent.errors import AgentError, Problem
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.policy import CONTEXT_NAMESPACE, Credentials
from harbor_agent.model.secret import Namespaces, SecretSpec
from harbor_agent.model.sensitive import Sensitive
from tests.cluster.answering import Reply, answering
from tests.lab.certificates import write_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.apiserver import RunningApiServer

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


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
def tls_server(directory: Path, name: str, *replies: tuple[int, dict[str, str]]) -> Iterator[tuple[int, list[Any]]]:
    """Answer any request with a review, after `replies` (status and headers); note SNI and headers of each."""
    write_certificate(directory / "crt", directory / "key", name)
    seen: list[Any] = []
    pending = list(replies)

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust us
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "crt", directory / "key")
    context.sni_callback = lambda _, asked, __: seen.append(asked)  # type: ignore[assignment]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.needs("apiserver")
@pytest.mark.field("c01")
class TestImpersonation:
    def test_the_login_acts_with_the_rights_of_the_other_user(
        self, apiserver: RunningApiServer, tmp_path: Path, namespace: str, grant: Callable[..., None]
    ) -> None:
        cluster, user = parts(apiserver)
        login = Credentials(username="u", password=Sensitive("p"))
        spec = SecretSpec(name="pull", address=Address.parse("127.0.0.1:9"), credentials=login)
        with open_cluster(write(tmp_path / "c", cluster, user | {"as": "limited"})) as acting:
            problem = apply_secret(acting, spec, namespace).problem
            assert problem
            assert "limited is not allowed to get secrets" in problem.message
            grant("secrets", "get", "create", "patch")
            assert apply_secret(acting, spec, namespace).problem is None

    def test_who_may_not_impersonate_is_named_with_that_right(
        self, apiserver: RunningApiServer, tmp_path: Path
    ) -> None:
        cluster, user = parts(apiserver, "limited")
        with open_cluster(write(tmp_path / "c", cluster, user | {"as": "admin"})) as acting:
            problem = acting.labelled("default")
        assert isinstance(problem, Problem)
        assert "limited is not allowed to impersonate users" in problem.message


@pytest.mark.field("c01")
def test_every_part_of_an_impersonation_is_sent(tmp_path: Path) -> None:
    user = {
        "token": "t",
        "as": "system:serviceaccount:ns:name",
        "as-uid": "7",
        "as-groups": ["team-a", "system:authenticated"],
        "as-user-extra": {"example.org/Scopes": ["view", "edit"]},
    }
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, user)).close()
    headers = seen[-1]
    assert headers["Impersonate-User"] == "system:serviceaccount:ns:name"
    assert headers["Impersonate-Uid"] == "7"
    assert headers.get_all("Impersonate-Group") == ["team-a", "system:authenticated"]
    assert headers.get_all("Impersonate-Extra-example.org%2fscopes") == ["view", "edit"]


@pytest.mark.field("c01")
@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({}, {"as-groups": ["canary"]}, "'as-groups' needs 'as'"),
        ({}, {"auth-provider": {"name": "oidc"}}, "key 'auth-provider' of user 'me' is not supported"),
        ({}, {"exec": {"command": "x", "new": 1}}, "key 'new' of exec 'me' is not supported"),
        ({"new-key": "canary"}, {}, "key 'new-key' of cluster 'lab' is not supported"),
        ({"proxy-url": "ftp://canary@h"}, {}, "proxy-url is not a URL that begins with http, https or socks5"),
        ({"insecure-skip-tls-verify": True, "certificate-authority": "crt"}, {}, "kubectl allows one"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_key(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], words: str
) -> None:
    config = write(tmp_path / "c", {"server": "https://127.0.0.1:1"} | cluster, {"token": "canary"} | user)
    problem = refusal(config)
    assert problem.code == "kubeconfig-invalid"
    assert words in problem.message


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


@pytest.mark.needs("apiserver")
@pytest.mark.field("c02")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_proxy_url_counts_before_the_environment(
    apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    if scheme == "socks5":
        pytest.importorskip("socksio")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    _, user = parts(apiserver)
    with proxies() as (http, socks, passed):
        proxy = f"{scheme}://127.0.0.1:{http if scheme == 'http' else socks}"
        server = f"https://api.only-behind-proxy.test:{apiserver.port}"
        cluster = {"server": server, "proxy-url": proxy, "insecure-skip-tls-verify": True}
        open_cluster(write(tmp_path / "c", cluster, user)).close()
    assert passed == [f"{scheme.removesuffix('5')} api.only-behind-proxy.test"]


@pytest.mark.field("c03")
def test_tls_server_name_is_sent_and_checked(tmp_path: Path) -> None:
    with tls_server(tmp_path, "k8api.local") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        named = cluster | {"tls-server-name": "k8api.local"}
        open_cluster(write(tmp_path / "c", named, {"token": "t"})).close()
        assert seen[0] == "k8api.local"
        problem = refusal(write(tmp_path / "c", cluster, {"token": "t"}))
        assert problem.code == "cluster-certificate"
        assert "is for another name" in problem.message
        assert "tls-server-name" in problem.hint
        problem = refusal(write(tmp_path / "c", {"server": cluster["server"]}, {"token": "t"}))
        assert problem.code == "cluster-certificate"
        assert "is signed by an unknown authority" in problem.message


@pytest.mark.field("c05")
def test_a_plugin_speaks_to_the_person_and_is_given_the_cluster(tmp_path: Path) -> None:
    plugin = tmp_path / "login"
    plugin.write_text(
        '#!/bin/sh\necho "enter the code ABCD-1234" >&2\n'
        f'printf %s "$KUBERNETES_EXEC_INFO" >{tmp_path}/asked\ntest -t 0 && echo yes >{tmp_path}/terminal\n'
        """echo '{"kind":"ExecCredential","status":{"token":"t"}}'\n"""
    )
    plugin.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "provideClusterInfo": True}
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        config = write(tmp_path / "c", cluster, {"exec": run | {"interactiveMode": "Always"}})
        program = f"from harbor_agent.kubernetes.cluster import open_cluster; open_cluster({config!r}).close()"
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=theirs, capture_output=True, text=True, check=False, timeout=60
        )
        os.close(ours)
        os.close(theirs)
        assert done.stderr == "enter the code ABCD-1234\n"
        spec = json.loads((tmp_path / "asked").read_text())["spec"]
        assert spec["interactive"] is True
        assert (tmp_path / "terminal").exists()
        assert base64.b64decode(spec["cluster"]["certificate-authority-data"]) == (tmp_path / "crt").read_bytes()
        without = subprocess.run(
            [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert "interactiveMode Always, and standard input is not a terminal" in without.stderr


@pytest.mark.field("c05")
def test_a_missing_plugin_is_named_with_its_install_hint(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "no-such",
        "installHint": "az\x1b[1m cli",
    }
    problem = refusal(write(tmp_path / "c", {"server": "http://127.0.0.1:1"}, {"exec": plugin}))
    assert (problem.code, problem.hint) == ("kubeconfig-plugin-missing", "az cli")


@pytest.mark.needs("apiserver")
def test_files_are_merged_and_the_first_one_wins(
    apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ca.crt").write_bytes(apiserver.authority)
    (tmp_path / "sub" / "token").write_text(apiserver.tokens["admin"])
    cluster = {"server": apiserver.url, "certificate-authority": "ca.crt"}
    write(tmp_path / "sub" / "one", cluster, {"tokenFile": "token"})
    write(tmp_path / "two", {"server": "https://127.0.0.1:1"}, {"token": "other"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{tmp_path}/sub/one:{tmp_path}/two")
    open_cluster().close()
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/two:{tmp_path}/sub/one")
    with pytest.raises(AgentError, match="cannot reach the cluster"):
        open_cluster()


def test_a_file_without_a_user_is_used_as_it_is(tmp_path: Path) -> None:
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, None)).close()
    assert "Authorization" not in seen[-1]


@pytest.mark.needs("apiserver")
@pytest.mark.field("c19")
def test_the_namespace_of_the_context_is_the_default(apiserver: RunningApiServer, tmp_path: Path) -> None:
    cluster, user = parts(apiserver)
    wanted = Namespaces(names=(CONTEXT_NAMESPACE,))
    with open_cluster(write(tmp_path / "c", cluster, user, namespace="field")) as opened:
        assert opened.namespaces(wanted) == ("field",)
    with open_cluster(write(tmp_path / "c", cluster, user)) as opened:
        assert opened.namespaces(wanted) == ("default",)


@pytest.mark.field("c07")
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(tmp_path: Path, status: int) -> None:
    busy = (status, {"Content-Type": "text/plain", "Retry-After": "0"})
    with tls_server(tmp_path, "127.0.0.1", *[busy] * 9) as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t"})).close()
        assert len([one for one in seen if one is not None]) == 10


@pytest.mark.field("c07")
def test_a_server_that_stays_busy_is_named_as_busy(tmp_path: Path) -> None:
    busy = (429, {"Content-Type": "text/plain", "Retry-After": "0"})
    with tls_server(tmp_path, "127.0.0.1", *[busy] * 20) as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        problem = refusal(write(tmp_path / "c", cluster, {"token": "t"}))
    assert problem.code == "cluster-busy"


@pytest.mark.field("c08")
def test_certificates_without_key_identifiers_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_as_python_3_13(**options: object) -> ssl.SSLContext:
        context = create(**options)  # type: ignore[arg-type]
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", create_as_python_3_13)
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t"})).close()


@pytest.mark.field("c24")
def test_the_refusal_of_a_policy_is_no_missing_right(tmp_path: Path) -> None:
    words = "people cannot create resource secrets here: use the vault pipeline"
    message = f'admission webhook "validation.gatekeeper.sh" denied the request: [only-vault] {words}'
    status = {"kind": "Status", "code": 403, "message": message}
    kind = {"Content-Type": "application/json"}
    replies = {
        REVIEW: Reply(status=201, headers=kind, body=b'{"spec":{},"status":{"allowed":true}}'),
        "/api/v1/namespaces/demo/secrets": Reply(status=403, headers=kind, body=json.dumps(status).encode()),
    }
    with answering(replies) as server:
        config = write(tmp_path / "c", {"server": f"http://127.0.0.1:{server.port}"}, {"token": "t"})
        with open_cluster(config) as cluster:
            problem = cluster.labelled("demo")
    assert isinstance(problem, Problem)
    assert problem.code == "cluster-rejected"
    assert words in problem.message
    assert "webhook validation.gatekeeper.sh refused it, no right is missing" in problem.hint

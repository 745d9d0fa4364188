"""A real API server: etcd and kube-apiserver, without controllers or nodes.

Nothing but the API is there: no service account appears on its own, and a deleted namespace stays Terminating.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.lab.inside import inside
from tests.lab.waiting import wait_until
from tests.needs import apiserver_assets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_READY_SECONDS = 90.0
_USERS = {"admin": ("admin", "system:masters"), "limited": ("limited", "testers")}
_WITHOUT_CONTROLLERS = ("--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApiServer:
    """An API server that answers. `admin` may do everything, `limited` nothing until it is granted something.

    `host` is its address in the network namespace `namespace`, the machine's own if that is empty.
    """

    port: int
    directory: Path
    tokens: dict[str, str] = field(repr=False)
    host: str = "127.0.0.1"
    namespace: str = ""

    @property
    def url(self) -> str:
        """The root URL."""
        return f"https://{self.host}:{self.port}"

    @property
    def authority(self) -> bytes:
        """The certificate to trust, in PEM."""
        return (self.directory / "certs" / "apiserver.crt").read_bytes()

    def kubeconfig(self, user: str = "admin", *, token: str | None = None) -> Path:
        """Write a kubeconfig (0600) for `user` and return its path."""
        path = self.directory / f"kubeconfig.{user}"
        cluster = {"server": self.url, "certificate-authority-data": base64.b64encode(self.authority).decode()}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": user,
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": user, "context": {"cluster": "lab", "user": user}}],
        }
        if not path.exists() or token:
            _write_private(path, yaml.safe_dump(document))
        return path

    def ask(self, method: str, path: str, document: object = None, *, kind: str = "application/json") -> dict:
        """Ask the API as admin and return what it answers. Raises HTTPError for anything but success."""
        body = json.dumps(document).encode() if document is not None else None
        headers = {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": kind}
        request = urllib.request.Request(f"{self.url}{path}", body, headers, method=method)
        context = ssl.create_default_context(cadata=self.authority.decode())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        network = inside(self.namespace) if self.namespace else nullcontext()
        with network, opener.open(request, timeout=20) as answer:
            return json.load(answer)

    def create_namespace(self, name: str, *service_accounts: str) -> str:
        """Create a namespace with service accounts, which no controller does here; return its name."""
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for account in service_accounts:
            self.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": account}})
        return name

    def grant(
        self, namespace: str, resource: str, verbs: Sequence[str], *, user: str = "limited", group: str = ""
    ) -> None:
        """Give `user` rights on one resource (of an API group) in one namespace, at once."""
        name = f"{user}-{resource}"
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}]
        self.ask("POST", f"{base}/roles", {"metadata": {"name": name}, "rules": rules})
        rbac = "rbac.authorization.k8s.io"
        self.ask(
            "POST",
            f"{base}/rolebindings",
            {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
                "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
            },
        )
        attributes = {"namespace": namespace, "group": group, "resource": resource, "verb": verbs[0]}
        review = {"spec": {"user": user, "resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        wait_until(
            lambda: self.ask("POST", path, review)["status"]["allowed"],
            f"{user} may {verbs[0]} {resource}",
            seconds=20,
        )


@contextmanager
def running_apiserver(
    directory: Path,
    *options: str,
    host: str = "127.0.0.1",
    namespace: str = "",
    users: Mapping[str, tuple[str, str]] | None = None,
    without_controllers: bool = True,
) -> Iterator[RunningApiServer]:
    """Run etcd and kube-apiserver, with these options too, until the block ends; `directory` keeps data and logs.

    They listen at `host` in the network namespace `namespace`. `users` maps names of further kubeconfigs to a user and
    its group, or "". With controllers, service accounts are checked, because they get tokens.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    clients, peers, port = _free_ports(3)
    known = {**_USERS, **(users or {})}
    tokens = {name: secrets.token_hex(16) for name in known}
    lines = [f'{tokens[name]},{user},{name},"{group}"\n' for name, (user, group) in known.items()]
    _write_private(directory / "tokens.csv", "".join(lines))
    _write_private(directory / "sa.key", _signing_key())
    server = RunningApiServer(port=port, directory=directory, tokens=tokens, host=host, namespace=namespace)
    with ExitStack() as stack:
        programs = {"etcd": _etcd_arguments(directory, clients, peers)}
        programs["kube-apiserver"] = [
            *_apiserver_arguments(server, clients),
            *(_WITHOUT_CONTROLLERS if without_controllers else ()),
            *options,
        ]
        started = [
            stack.enter_context(running_program(apiserver_assets() / name, its, directory, namespace))
            for name, its in programs.items()
        ]
        wait_until(
            lambda: any(process.poll() is not None for process in started) or _is_ready(server),
            "the API server is ready",
            seconds=_READY_SECONDS,
        )
        for process, name in zip(started, programs, strict=True):
            assert process.poll() is None, f"{name} ended: {(directory / f'{name}.log').read_text()[-2000:]}"
        yield server


def _is_ready(server: RunningApiServer) -> bool:
    try:
        # Both are written after the server is up: RBAC's own roles, and the first namespaces.
        server.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:basic-user")
        for namespace in ("default", "kube-node-lease"):
            server.ask("GET", f"/api/v1/namespaces/{namespace}")
    except (OSError, urllib.error.URLError):
        return False
    return True


def _etcd_arguments(directory: Path, clients: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver_arguments(server: RunningApiServer, clients: int) -> list[str]:
    directory = server.directory
    return [
        f"--etcd-servers=http://127.0.0.1:{clients}",
        # the certificate that it makes is for this address
        f"--bind-address={server.host}",
        f"--advertise-address={server.host}",
        f"--secure-port={server.port}",
        f"--cert-dir={directory / 'certs'}",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--token-auth-file={directory / 'tokens.csv'}",
        f"--service-account-issuer={server.url}",
        f"--service-account-signing-key-file={directory / 'sa.key'}",
        f"--service-account-key-file={directory / 'sa.key'}",
    ]


@contextmanager
def running_program(
    program: Path, arguments: Sequence[str], directory: Path, namespace: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a network namespace until the block ends; its log is in `directory`."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    prefix = ("ip", "netns", "exec", namespace) if namespace else ()
    with (directory / f"{program.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _signing_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()

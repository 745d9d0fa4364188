"""Certificates without key identifiers, which Python 3.13 refuses by default, and kubectl and docker accept."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.validate import validate
from tests.cluster.kubeconfigs import tls_server, write
from tests.lab.certificates import write_without_identifiers
from tests.lab.registry import Login, running_registry
from tests.needs import PYTHON_3_13

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
ROBOT = Login(name="robot", password="canary", pull=("*",))
ABOUT_TLS = (
    "test_old_certificates.py",
    "test_api_server.py",
    "test_kubeconfig_expired.py",
    "test_registry.py::TestTls",
)

pytestmark = [pytest.mark.field("c08"), pytest.mark.usefixtures("no_default_kubeconfig", "as_python_3_13")]


@pytest.fixture
def as_python_3_13(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of Python 3.13, on older ones too."""
    create: Callable[..., ssl.SSLContext] = ssl.create_default_context

    def create_strict(*arguments: object, **options: object) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    if sys.version_info < (3, 13):
        monkeypatch.setattr(ssl, "create_default_context", create_strict)


def test_the_default_refuses_them(tmp_path: Path) -> None:
    write_without_identifiers(tmp_path / "ca", tmp_path / "crt", tmp_path / "key", "127.0.0.1")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca"))
    refused = pytest.raises(ssl.SSLCertVerificationError, match=r"Missing (Authority|Subject) Key Identifier")
    with (
        tls_server(tmp_path, "127.0.0.1") as (port, _),
        socket.create_connection(("127.0.0.1", port)) as plain,
        refused,
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_cluster_with_them_is_used(tmp_path: Path) -> None:
    write_without_identifiers(tmp_path / "ca", tmp_path / "crt", tmp_path / "key", "127.0.0.1")
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "ca"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t"})).close()


@pytest.mark.needs("registry")
def test_a_registry_with_them_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_without_identifiers(tmp_path / "ca", tmp_path / "crt", tmp_path / "key", "127.0.0.1")
    files = {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key")}
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca"))
    login = Credentials(username=ROBOT.name, password=Sensitive(ROBOT.password))
    with running_registry(tmp_path / "r", authentication="htpasswd", logins=[ROBOT], tls=files) as registry:
        validation = validate(Address.parse(f"https://127.0.0.1:{registry.port}"), login)
    assert (validation.problem, validation.is_proven) == (None, True)


@pytest.mark.needs("python3.13")
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="this is such a Python")
def test_it_is_so_on_python_3_13() -> None:
    tests = [f"tests/cluster/{name}" for name in ABOUT_TLS]
    argv = [str(PYTHON_3_13), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " failed" not in done.stdout

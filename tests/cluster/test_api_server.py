"""The connection to an API server: proxies, names and certificates, a busy server, and what a webhook refuses."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.cluster import open_cluster
from tests.cluster.answering import Reply, answering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.apiserver import RunningApiServer

from tests.cluster.kubeconfigs import REVIEW, parts, proxies, refusal, tls_server, write

pytestmark = pytest.mark.usefixtures("no_default_kubeconfig")


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


def test_a_certificate_that_has_expired_is_named_as_that(tmp_path: Path) -> None:
    with tls_server(tmp_path, "127.0.0.1", days=-1) as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        problem = refusal(write(tmp_path / "c", cluster, {"token": "t"}))
    assert problem.code == "cluster-certificate"
    assert problem.message == "the API server's certificate has expired"
    assert "kubeadm certs check-expiration" in problem.hint


@pytest.mark.field("c07")
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(tmp_path: Path, status: int) -> None:
    busy = (status, {"Content-Type": "text/plain", "Retry-After": "0"})
    with tls_server(tmp_path, "127.0.0.1", *[busy] * 9) as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t"})).close()
        assert len([one for one in seen if one is not None]) == 10


@pytest.mark.field("c07")
def test_a_server_that_is_busy_for_long_is_asked_again_with_pauses(tmp_path: Path) -> None:
    busy = (429, {"Content-Type": "text/plain", "Retry-After": "0"})
    with tls_server(tmp_path, "127.0.0.1", *[busy] * 12) as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t"})).close()
        assert len([one for one in seen if one is not None]) == 13


@pytest.mark.field("c07")
def test_a_server_that_stays_busy_is_named_as_busy(tmp_path: Path) -> None:
    busy = (429, {"Content-Type": "text/plain", "Retry-After": "3600"})
    with tls_server(tmp_path, "127.0.0.1", *[busy] * 2) as (port, _):
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

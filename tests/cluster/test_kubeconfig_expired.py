"""Logins that have expired are named before any request is sent; an id-token that is valid is used."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.kubernetes.cluster import open_cluster
from tests.cluster.kubeconfigs import refusal, tls_server, write
from tests.lab.certificates import write_certificate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_default_kubeconfig")


def id_token(*, seconds: float) -> str:
    """A JSON Web Token that ends in so many seconds."""
    parts = ({"alg": "RS256"}, {"exp": time.time() + seconds})
    written = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*written, "canary"])


def oidc(**config: str) -> dict[str, Any]:
    return {"auth-provider": {"name": "oidc", "config": {"client-id": "kubernetes", **config}}}


@pytest.mark.parametrize("form", ["client-certificate", "client-certificate-data"])
def test_an_expired_client_certificate_is_named_before_any_request(tmp_path: Path, form: str) -> None:
    (tmp_path / "user").mkdir()
    write_certificate(tmp_path / "user/crt", tmp_path / "user/key", "ann", days=-1)
    user = {f"client-{one}": f"user/{short}" for one, short in (("certificate", "crt"), ("key", "key"))}
    if form == "client-certificate-data":
        user = {
            f"{name}-data": base64.b64encode((tmp_path / path).read_bytes()).decode() for name, path in user.items()
        }
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        problem = refusal(write(tmp_path / "c", cluster, user))
        assert problem.code == "kubeconfig-login-failed"
        assert "the client certificate of user 'me' expired on 20" in problem.message
        assert "kubeadm certs renew" in problem.hint
        assert seen == []
        open_cluster(write(tmp_path / "c", cluster, user | {"token": "t"})).close()  # the token counts then


def test_a_client_certificate_that_is_valid_is_used(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    write_certificate(tmp_path / "user/crt", tmp_path / "user/key", "ann")
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        user = {"client-certificate": "user/crt", "client-key": "user/key"}
        open_cluster(write(tmp_path / "c", cluster, user)).close()


def test_an_id_token_is_sent_while_it_is_valid(tmp_path: Path) -> None:
    token = id_token(seconds=3600)
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        user = oidc(**{"id-token": token, "idp-issuer-url": "https://idp.invalid", "refresh-token": "canary"})
        open_cluster(write(tmp_path / "c", cluster, user)).close()
        assert seen[-1]["Authorization"] == f"Bearer {token}"
        open_cluster(write(tmp_path / "c", cluster, {"token": "mine"} | user)).close()  # other logins come first
        assert seen[-1]["Authorization"] == "Bearer mine"


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        ({}, "logs in by oidc and has no id-token yet", "log in again"),
        ({"id-token": id_token(seconds=5)}, "the id-token of user 'me' expired on 20", "log in again"),
        (
            {"id-token": id_token(seconds=-9), "refresh-token": "canary"},
            "the id-token of user 'me' expired on 20",
            "run `kubectl get namespaces` with the same kubeconfig",
        ),
    ],
)
def test_an_expired_id_token_is_named_before_any_request(
    tmp_path: Path, config: dict[str, str], message: str, hint: str
) -> None:
    problem = refusal(write(tmp_path / "c", {"server": "https://127.0.0.1:1"}, oidc(**config)))
    assert problem.code == "kubeconfig-login-failed"
    assert message in problem.message
    assert hint in problem.hint

"""The CA that a Harbor offers for download is taken only with the fingerprint that a person wrote down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from harbor_agent.engine.request.expiry import describe_ending, find_certificate_ends
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.request.resolve import resolve, resolve_logins
from harbor_agent.engine.secrets.commands import validate_logins
from harbor_agent.engine.secrets.logins import prove_logins
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.model.policy import RegistryCertificates
from tests.lab.certificates import Authority
from tests.lab.registry import Login, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("registry")
PULLER = Login(name="robot$demo", password="authorities-canary")


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    folder = tmp_path_factory.mktemp("harbor")
    with running_registry(folder, authentication="token", logins=[PULLER], tls=True) as running:
        yield running


def write_settings(folder: Path, harbor: RunningRegistry, authority: str) -> RunRequest:
    path = folder / "harbor-agent.yaml"
    (folder / "password").write_text(PULLER.password)
    login = f"{{username: '{PULLER.name}', password_file: {folder}/password}}"
    path.write_text(f"registries: [{{address: '{harbor.url}', credentials: {login}{authority}}}]\n")
    return RunRequest(config=str(path))


def fingerprint(harbor: RunningRegistry) -> str:
    assert harbor.authority
    return digest_of(harbor.authority.read_bytes())


def digest_of(pem: bytes) -> str:
    digest = x509.load_pem_x509_certificate(pem).fingerprint(SHA256()).hex().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def test_without_a_fingerprint_it_is_shown_and_nothing_else_happens(harbor: RunningRegistry, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=fingerprint(harbor)) as caught:
        resolve(write_settings(tmp_path, harbor, ", ca_from_harbor: {}"))
    assert caught.value.problem.code == "ca-not-confirmed"


def test_another_fingerprint_is_refused(harbor: RunningRegistry, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=fingerprint(harbor)) as caught:
        resolve(write_settings(tmp_path, harbor, f", ca_from_harbor: {{sha256: '{'0' * 64}'}}"))
    assert caught.value.problem.code == "ca-differs"


def test_the_right_one_is_used_for_nodes_and_for_the_login(harbor: RunningRegistry, tmp_path: Path) -> None:
    assert harbor.authority
    request = write_settings(tmp_path, harbor, f", ca_from_harbor: {{sha256: '{fingerprint(harbor)}'}}")
    resolved = resolve_logins(resolve(request))
    expected = RegistryCertificates(authorities=harbor.authority.read_bytes())
    assert resolved.general.registries[0].certificates == expected
    warnings, unproven = validate_logins(resolved)
    assert unproven == []
    assert [warning.code for warning in warnings if "kubesphere" in warning.code] == ["kubesphere-validate-fails"]


@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_that_is_offered_beside_the_confirmed_ca_is_trusted(tmp_path: Path, *, is_first: bool) -> None:
    with running_registry(tmp_path / "between", authentication="token", tls=True) as between:
        assert between.authority
        genuine, another = between.authority.read_bytes(), Authority().pem
        between.authority.write_bytes(genuine + another if is_first else another + genuine)
        settings = write_settings(tmp_path, between, f", ca_from_harbor: {{sha256: '{digest_of(genuine)}'}}")
        certificates = resolve(settings).general.registries[0].certificates
    assert certificates == RegistryCertificates(authorities=genuine)


def test_without_the_ca_the_login_is_not_sent(harbor: RunningRegistry, tmp_path: Path) -> None:
    resolved = resolve_logins(resolve(write_settings(tmp_path, harbor, "")))
    with pytest.raises(AgentError) as caught:
        prove_logins(resolved.policies, resolved.credentials)
    assert caught.value.problem.code == "registry-certificate"


@pytest.mark.parametrize(("days", "code"), [(-1, "certificate-expired"), (29, "certificate-expires-soon"), (31, None)])
def test_the_end_of_the_certificate_that_is_served(tmp_path: Path, days: int, code: str | None) -> None:
    issued = Authority().issue(["another.lan"], days=days)
    issued.write(tmp_path / "tls.crt", tmp_path / "tls.key")
    tls = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    with running_registry(tmp_path / "registry", tls=tls) as serving:
        ends = find_certificate_ends(resolve(write_settings(tmp_path, serving, "")).policies)
    assert [(one.kind, one.ends) for one in ends] == [("served", issued.certificate.not_valid_after_utc)]
    assert [problem.code for problem in describe_ending(ends)] == ([code] if code else [])


def test_a_registry_that_asks_for_a_client_certificate_is_given_it(tmp_path: Path) -> None:
    authority = Authority()
    authority.issue(["127.0.0.1"]).write(tmp_path / "tls.crt", tmp_path / "tls.key")
    authority.issue(["node"], usage=ExtendedKeyUsageOID.CLIENT_AUTH).write(
        tmp_path / "client.crt", tmp_path / "client.key"
    )
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    tls = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    with running_registry(tmp_path / "r", tls={**tls, "clientcas": [str(tmp_path / "ca.crt")]}) as serving:
        pair = f", client_certificate: {tmp_path}/client.crt, client_key: {tmp_path}/client.key"
        settings = write_settings(tmp_path, serving, f", ca_file: {tmp_path}/ca.crt{pair}")
        ends = find_certificate_ends(resolve(settings).policies)
    assert [one.kind for one in ends] == ["ca", "served"]


def test_a_registry_that_offers_none(tmp_path: Path) -> None:
    with running_registry(tmp_path / "plain", tls=True) as plain, pytest.raises(UsageError) as caught:
        resolve(write_settings(tmp_path, plain, ", ca_from_harbor: {}"))
    assert caught.value.problem.code == "ca-not-offered"

"""The CA files of settings and options, read before any node is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from harbor_agent.engine.request.expiry import describe_ending, find_certificate_ends
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.errors import UsageError
from harbor_agent.model.policy import RegistryCertificates
from harbor_agent.planning.config.digest import policy_digest
from tests.lab.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

CA, OTHER = Authority(), Authority()
ARCHIVED = (b"ca", CA.key, CA.certificate, None, serialization.NoEncryption())


def write_settings(folder: Path, ca_file: object, address: str = "https://127.0.0.1:9") -> str:
    path = folder / "harbor-agent.yaml"
    path.write_text(f"registries: [{{address: '{address}', ca_file: {ca_file}}}]\n")
    return str(path)


def test_the_ca_of_the_settings_and_of_the_option(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(CA.pem)
    (registry,) = resolve(RunRequest(config=write_settings(tmp_path, file))).general.registries
    flags = RegistryFlags(addresses=("https://harbor.lan",), ca_file=str(file))
    (same,) = resolve(RunRequest(flags=flags)).general.registries
    assert registry.certificates == same.certificates == RegistryCertificates(authorities=file.read_bytes())


def test_another_ca_is_another_policy_and_no_ca_is_the_policy_of_before(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    settings = write_settings(tmp_path, file)
    digests = set()
    for authority in (CA, OTHER):
        file.write_bytes(authority.pem)
        digests.add(policy_digest(resolve(RunRequest(config=settings)).general))
    plain = RegistryFlags(addresses=("https://harbor.lan",))
    digests.add(policy_digest(resolve(RunRequest(flags=plain)).general))
    assert len(digests) == 3


def test_a_ca_that_expires_soon_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    settings = write_settings(tmp_path, file)
    found = []
    for days in (2, 29, 31):
        certificate = CA.issue(["harbor.lan"], days=days).certificate
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        policies = resolve(RunRequest(config=settings)).policies
        found.append(describe_ending(find_certificate_ends(policies)))
    assert [[problem.code for problem in problems] for problems in found] == [
        ["ca-expires-soon"],
        ["ca-expires-soon"],
        [],
    ]
    assert "expires in 1 day, on" in found[0][0].message
    assert "expires in 28 days, on" in found[1][0].message


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda _: None, "ca-file-unreadable"),
        (lambda path: path.mkdir(), "ca-file-unreadable"),
        (lambda path: path.write_bytes(b""), "ca-not-pem"),
        (lambda path: path.write_bytes(b"x" * (10 << 20)), "ca-not-pem"),
        (lambda path: path.write_bytes(CA.key_pem()), "ca-holds-private-key"),
        (lambda path: path.write_bytes(pkcs12.serialize_key_and_certificates(*ARCHIVED)), "ca-not-pem"),
    ],
    ids=["missing", "directory", "empty", "10-megabytes", "a-key", "pkcs12"],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, make: object, code: str) -> None:
    file = tmp_path / "ca.crt"
    make(file)  # type: ignore[operator]
    with pytest.raises(UsageError, match=r"ca\.crt") as caught:
        resolve(RunRequest(config=write_settings(tmp_path, file)))
    assert caught.value.problem.code == code


def test_a_ca_needs_an_https_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plain HTTP") as caught:
        resolve(RunRequest(config=write_settings(tmp_path, "ca.crt", "harbor.lan")))
    assert caught.value.problem.code == "ca-without-https"


def write_pair(folder: Path, key: bytes) -> str:
    issued = CA.issue(["client"])
    issued.write(folder / "client.crt", folder / "client.key")
    (folder / "client.key").write_bytes(key or (folder / "client.key").read_bytes())
    return f"client_certificate: {folder}/client.crt, client_key: {folder}/client.key"


def test_a_client_certificate_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "harbor-agent.yaml"
    path.write_text(f"registries: [{{address: 'https://harbor.lan', {write_pair(tmp_path, b'')}}}]\n")
    (registry,) = resolve(RunRequest(config=str(path))).general.registries
    assert registry.certificates
    assert registry.certificates.client == (tmp_path / "client.crt").read_bytes()
    assert registry.certificates.key == (tmp_path / "client.key").read_bytes()
    assert "PRIVATE KEY" not in repr(registry)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (OTHER.key_pem(), "belongs to another certificate"),
        (OTHER.key_pem(password=b"secret"), "encrypted"),
        (b"nothing", "cannot be decoded"),
    ],
    ids=["another", "encrypted", "no-key"],
)
def test_a_key_that_does_not_fit_is_an_error(tmp_path: Path, key: bytes, words: str) -> None:
    path = tmp_path / "harbor-agent.yaml"
    path.write_text(f"registries: [{{address: 'https://harbor.lan', {write_pair(tmp_path, key)}}}]\n")
    with pytest.raises(UsageError, match=words) as caught:
        resolve(RunRequest(config=str(path)))
    assert caught.value.problem.code == "client-certificate-invalid"


def test_a_client_certificate_without_its_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "harbor-agent.yaml"
    path.write_text("registries: [{address: 'https://harbor.lan', client_certificate: client.crt}]\n")
    with pytest.raises(UsageError, match="without client_key") as caught:
        resolve(RunRequest(config=str(path)))
    assert caught.value.problem.code == "client-certificate-incomplete"

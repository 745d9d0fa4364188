"""CA files as operators have them."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from harbor_agent.errors import UsageError
from harbor_agent.formats.certificates import read_authorities
from tests.lab.certificates import Authority

CA = Authority()
PEM = CA.pem
DER = CA.certificate.public_bytes(serialization.Encoding.DER)
KEY = CA.key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
ARCHIVE = pkcs12.serialize_key_and_certificates(b"ca", None, CA.certificate, None, serialization.NoEncryption())
NOW = dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    "data",
    [
        PEM,
        b"\xef\xbb\xbf" + PEM,
        PEM.replace(b"\n", b"\r\n"),
        b"subject: Harbor\n" + PEM + b"\nissuer: Harbor\n",
        PEM.rstrip(),
    ],
)
def test_every_form_of_pem_becomes_the_one_that_runtimes_read(data: bytes) -> None:
    (read,) = read_authorities(data, "ca.crt", NOW)
    begin = PEM.index(b"-----BEGIN")
    assert read.pem == PEM[begin:]


def test_der_is_converted() -> None:
    (read,) = read_authorities(DER, "ca.der", NOW)
    assert read.pem.startswith(b"-----BEGIN CERTIFICATE-----\n")


def test_a_bundle_keeps_both_and_one_that_has_expired_beside_a_valid_one_is_fine() -> None:
    old = CA.issue(["old.lan"], days=-1).certificate.public_bytes(serialization.Encoding.PEM)
    both = read_authorities(old + PEM, "ca.crt", NOW)
    assert [one.pem.count(b"BEGIN CERTIFICATE") for one in both] == [1, 1]
    with pytest.raises(UsageError, match=r"old\.crt: the CA expired on 20") as caught:
        read_authorities(old, "old.crt", NOW)
    assert caught.value.problem.code == "ca-expired"


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "ca-not-pem", "is empty"),
        (b" \n", "ca-not-pem", "is empty"),
        (b"hello", "ca-not-pem", "has no certificate"),
        (PEM[: len(PEM) // 2], "ca-not-pem", "has no certificate"),
        (PEM.replace(b"M", b"!"), "ca-not-pem", "cannot be decoded"),
        (ARCHIVE, "ca-not-pem", r"PKCS#12"),
        (PEM + KEY, "ca-holds-private-key", "private key"),
        (KEY, "ca-holds-private-key", "private key"),
    ],
)
def test_a_file_that_is_not_a_ca_is_refused_by_its_name(data: bytes, code: str, words: str) -> None:
    with pytest.raises(UsageError, match=rf"ca\.crt.*{words}") as caught:
        read_authorities(data, "ca.crt", NOW)
    assert caught.value.problem.code == code

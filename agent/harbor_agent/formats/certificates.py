"""CA certificates as operators have them: PEM bundles, a DER file, and files that only look like one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_PKCS12 = re.compile(rb"\x30[\x80-\x84].{0,4}\x02\x01\x03\x30", re.DOTALL)  # RFC 7292: a PFX is of version 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One certificate of a CA file: `pem` is what a runtime reads, `ends` when it expires.

    `fingerprint` is its SHA-256 (hex), `subject` its name as RFC 4514 writes it.
    """

    pem: bytes
    ends: datetime
    fingerprint: str
    subject: str


def read_authorities(data: bytes, name: str, now: datetime) -> tuple[Authority, ...]:
    """Read the certificates of a file, PEM or one in DER; text around them is left out, and each line ends in LF.

    dockerd ignores DER, a byte order mark and half a certificate without a word, so they are converted or refused.
    Raises UsageError that names the file: `ca-holds-private-key`, `ca-not-pem`, or `ca-expired` if each has ended.
    """
    if _PRIVATE_KEY.search(data):
        raise UsageError.of(
            "ca-holds-private-key",
            f"{name} holds a private key, which must not be copied to nodes",
            "write only the certificates into the file: openssl x509 -in FILE -out ca.crt",
        )
    certificates = _read_pem(data, name) or _read_der(data, name)
    ends = max(certificate.not_valid_after_utc for certificate in certificates)
    if ends <= now:
        raise UsageError.of(
            "ca-expired", f"{name}: the CA expired on {ends:%Y-%m-%d}", "get the CA that issued today's certificate"
        )
    return tuple(
        Authority(
            pem=one.public_bytes(Encoding.PEM),
            ends=one.not_valid_after_utc,
            fingerprint=one.fingerprint(SHA256()).hex(),
            subject=one.subject.rfc4514_string(),
        )
        for one in certificates
    )


def read_end(certificate: bytes) -> datetime | None:
    """Return when a certificate (DER) expires, None if it cannot be decoded."""
    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return None


def read_client_pair(certificate: bytes, key: bytes, name: str, now: datetime) -> tuple[bytes, bytes]:
    """Read a client certificate with its chain, and its private key; return both in PEM.

    Raises UsageError `client-certificate-invalid` for a certificate that cannot be read or has expired, and for a key
    that is encrypted, is not one, or belongs to another certificate.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificate)
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = "the key is encrypted" if isinstance(error, TypeError) else "it cannot be decoded as PEM"
        raise _build_client_error(f"{name}: {reason}") from None
    if chain[0].not_valid_after_utc <= now:
        raise _build_client_error(f"{name}: it expired on {chain[0].not_valid_after_utc:%Y-%m-%d}")
    own, other = (
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for public in (private.public_key(), chain[0].public_key())
    )
    if own != other:
        raise _build_client_error(f"{name}: the key belongs to another certificate")
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    return pem, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _build_client_error(message: str) -> UsageError:
    hint = "name a certificate and its unencrypted key, both in PEM"
    return UsageError.of("client-certificate-invalid", message, hint)


def _read_pem(data: bytes, name: str) -> list[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificate(match[0]) for match in _PEM.finditer(data)]
    except ValueError:
        raise _build_error(f"{name} has a certificate that cannot be decoded") from None


def _read_der(data: bytes, name: str) -> list[x509.Certificate]:
    if not data.strip():
        raise _build_error(f"{name} is empty")
    if _PKCS12.match(data):
        raise _build_error(f"{name} is a PKCS#12 file", "openssl pkcs12 -in FILE -nokeys -cacerts -out ca.crt")
    try:
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise _build_error(f"{name} has no certificate") from None


def _build_error(message: str, command: str = "openssl x509 -in FILE -out ca.crt") -> UsageError:
    return UsageError.of("ca-not-pem", message, f"name the CA's certificate in PEM: {command}")

"""Certificates for registries and token services of the tests: good ones, and each kind that a runtime refuses."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate, and the one that signed it where that is to be sent with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def write(self, certificate: Path, key: Path) -> None:
        """Write the certificate with its chain, and the key (0600)."""
        sent = (self.certificate, *self.chain)
        certificate.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in sent))
        key.touch(mode=0o600)
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def serve_from(self, folder: Path) -> dict[str, object]:
        """Write both into a folder; return them as a registry's section `http.tls`."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / "tls.crt", folder / "tls.key"
        self.write(certificate, key)
        return {"certificate": str(certificate), "key": str(key)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority; `signed_by` makes it an intermediate one, without `is_ca` it may not sign."""

    name: str = "Lab CA"
    is_ca: bool = True
    signed_by: Self | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's own certificate; the same key signs, whenever it is made."""
        issuer = self.signed_by or self
        built = _begin(self.name, issuer.name, self.key, days=2)
        if self.is_ca:
            built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return built.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The authority's own certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, password: bytes = b"") -> bytes:
        """Return the authority's private key in PEM, encrypted if there is a password."""
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    def issue(
        self,
        names: Sequence[str],
        *,
        common_name: str = "registry",
        days: int = 2,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        with_chain: bool = True,
    ) -> Issued:
        """Issue a certificate for host names and IP addresses; `days` until it ends, negative if it has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _begin(common_name, self.name, key, days=days)
        built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        chain = (self.certificate,) if self.signed_by and with_chain else ()
        return Issued(certificate=built.sign(self.key, hashes.SHA256()), key=key, chain=chain)


def write_certificate(certificate: Path, key: Path, name: str, *, days: int = 2) -> None:
    """Write a certificate that signs itself for `name` (a host name or an IP address), and its key (0600).

    `days` until it ends, negative if it has ended.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    built = (
        _begin(name, name, private, days=days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    Issued(certificate=built, key=private).write(certificate, key)


def write_without_identifiers(authority: Path, certificate: Path, key: Path, name: str) -> None:
    """Write an authority and a certificate for `name` without key identifiers, as Go before 1.15 made them."""
    signing, private = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = (
        _begin("Old CA", "Old CA", signing, days=2, has_identifier=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    leaf = (
        _begin(name, "Old CA", private, days=2, has_identifier=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    Issued(certificate=leaf, key=private).write(certificate, key)


def _begin(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, days: int, has_identifier: bool = True
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=abs(days) + 1))
        .not_valid_after(now + dt.timedelta(days=days))
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return built.add_extension(identifier, critical=False) if has_identifier else built


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

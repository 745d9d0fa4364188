"""The certificates of registries, read on the controller before any node is asked: from files, or from Harbor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem, UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.model.policy import RegistryCertificates

if TYPE_CHECKING:
    from harbor_agent.formats.certificates import Authority
    from harbor_agent.model.policy import Policy, Registry

# A bundle of all public CAs has about 200 KiB.
_LARGEST_FILE = 1 << 19
# Harbor's, without a login; 404 if its administrator has put none there (src/server/v2.0/handler/systeminfo.go).
_DOWNLOAD = "/api/v2.0/systeminfo/getcert"
_OK, _NOT_FOUND = 200, 404


def read_certificates(policy: Policy) -> Policy:
    """Return the policy with the certificates of each registry that names any.

    Raises UsageError that names the file, and one with the fingerprint of an offered CA that is not confirmed.
    """
    return replace(policy, registries=tuple(map(_add_certificates, policy.registries)))


def _add_certificates(registry: Registry) -> Registry:
    if registry.presence == "absent":
        return registry
    authorities = _find_authorities(registry)
    client, key = _read_client(registry) if registry.client_certificate else (b"", b"")
    if not authorities and not client:
        return registry
    pem = b"".join(authority.pem for authority in authorities)
    ends = max((authority.ends for authority in authorities), default=None)
    found = RegistryCertificates(authorities=pem, client=client, key=key)
    return replace(registry, certificates=found, ca_ends=ends)


def _find_authorities(registry: Registry) -> tuple[Authority, ...]:
    if registry.ca_file:
        from harbor_agent.formats import certificates  # noqa: PLC0415 - slow to import

        data = _read_file(registry, registry.ca_file, "CA", "ca-not-pem")
        return certificates.read_authorities(data, registry.ca_file, datetime.now(UTC))
    return () if registry.ca_from_harbor is None else (_take_offered(registry, registry.ca_from_harbor),)


def _take_offered(registry: Registry, fingerprint: str) -> Authority:
    """Return the CA with this fingerprint (hex) among those that Harbor offers, and none of the others."""
    address = registry.resolve.address if registry.resolve else None
    offered = _download(registry.address.url, registry.address.host.lower(), address)
    if named := next((one for one in offered if one.fingerprint == fingerprint), None):
        return named
    facts = "; ".join(
        f"{one.subject}, until {one.ends:%Y-%m-%d}, SHA-256 {_group_digits(one.fingerprint)}" for one in offered
    )
    if not fingerprint:
        message = f"{registry.address.url} offers a CA that is not confirmed yet: {facts}"
        hint = "compare the fingerprint with that of Harbor's administrator, and write it into ca_from_harbor"
        raise UsageError.of("ca-not-confirmed", message, f"{hint}: {{sha256: …}}")
    message = f"{registry.address.url} offers another CA than the one in ca_from_harbor: {facts}"
    raise UsageError.of("ca-differs", message, "ask Harbor's administrator whether the CA was renewed")


def _read_client(registry: Registry) -> tuple[bytes, bytes]:
    """Return the client certificate and its key, in PEM."""
    from harbor_agent.formats import certificates  # noqa: PLC0415 - slow to import

    names = (registry.client_certificate or "", registry.client_key or "")
    certificate, key = (
        _read_file(registry, name, "client certificate", "client-certificate-invalid") for name in names
    )
    return certificates.read_client_pair(certificate, key, " and ".join(names), datetime.now(UTC))


def _read_file(registry: Registry, name: str, content: str, code: str) -> bytes:
    file = Path(name).expanduser()
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        message = f"cannot read the {content} of {registry.address} from {file}: {describe_error(error)}"
        raise UsageError.of("ca-file-unreadable", message, "check the path in the settings") from None
    if len(data) > _LARGEST_FILE:
        message = f"{file} is larger than {_LARGEST_FILE >> 10} KiB, too large for the {content} of one registry"
        raise UsageError.of(code, message, "name a file with the certificates of this registry only")
    return data


@cache
def _download(url: str, host: str, address: str | None) -> tuple[Authority, ...]:
    """Return what Harbor offers; the connection proves nothing, so only its fingerprint makes a CA trusted.

    `address` is that of the host, if the settings name it.
    """
    from harbor_agent.formats import certificates  # noqa: PLC0415 - slow to import
    from harbor_agent.registry.http import Connection, HttpClient  # noqa: PLC0415 - HTTP is slow to import

    connection = Connection(is_verified=False, addresses={host: address} if address else {})
    answer = HttpClient(connection).request("GET", url + _DOWNLOAD)
    if isinstance(answer, Problem):
        raise UsageError(answer)
    if answer.status != _OK:
        reason = "it has none" if answer.status == _NOT_FOUND else f"HTTP {answer.status}"
        message = f"{url} offers no CA for download: {reason}"
        raise UsageError.of("ca-not-offered", message, "get the CA from Harbor's administrator, and name it in ca_file")
    return certificates.read_authorities(answer.body, f"the CA that {url} offers", datetime.now(UTC))


def _group_digits(fingerprint: str) -> str:
    """Return a fingerprint as openssl and browsers print it."""
    digits = fingerprint.upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

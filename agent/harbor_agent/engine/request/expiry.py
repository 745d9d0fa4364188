"""When the certificates of registries expire: that of the CA, and the one that the registry serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Policy, Registry

_WARNING_TIME = timedelta(days=30)
# Seconds; a registry that this machine cannot reach only loses its warning.
_CONNECT_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEnd:
    """When the last CA of a registry expires, or the certificate that it serves."""

    address: Address
    kind: Literal["ca", "served"]
    ends: datetime


def find_certificate_ends(policies: Iterable[Policy]) -> tuple[CertificateEnd, ...]:
    """Return when the certificates of all registries over HTTPS expire, with one connection to each.

    The served one is missing if this machine cannot reach the registry.
    """
    registries = {one.address: one for policy in policies for one in policy.present if one.address.scheme == "https"}
    return tuple(end for one in registries.values() if not one.address.is_docker_hub for end in _find_ends(one))


def describe_ending(ends: Iterable[CertificateEnd]) -> list[Problem]:
    """Return a warning for each certificate that expires within 30 days, or has expired."""
    now = datetime.now(UTC)
    return [_describe(end, now) for end in ends if end.ends - now < _WARNING_TIME]


def find_client_files(registry: Registry) -> tuple[str, str] | None:
    """Return the files of the client certificate and its key."""
    if not registry.client_certificate or not registry.client_key:
        return None
    return str(Path(registry.client_certificate).expanduser()), str(Path(registry.client_key).expanduser())


def find_addresses(registry: Registry) -> dict[str, str]:
    """Return the address of the registry's name, if the settings have one."""
    return {registry.address.host.lower(): registry.resolve.address} if registry.resolve else {}


def _find_ends(registry: Registry) -> Iterator[CertificateEnd]:
    if registry.ca_ends:
        yield CertificateEnd(address=registry.address, kind="ca", ends=registry.ca_ends)
    if served := _read_served_end(registry):
        yield CertificateEnd(address=registry.address, kind="served", ends=served)


def _read_served_end(registry: Registry) -> datetime | None:
    from harbor_agent.formats.certificates import read_end  # noqa: PLC0415 - slow to import
    from harbor_agent.registry.certificate import read_served_certificate  # noqa: PLC0415 - HTTP is slow to import
    from harbor_agent.registry.http import Connection  # noqa: PLC0415

    connection = Connection(
        timeout=_CONNECT_TIMEOUT, client=find_client_files(registry), addresses=find_addresses(registry)
    )
    served = read_served_certificate(registry.address, connection)
    return read_end(served) if served else None


def _describe(end: CertificateEnd, now: datetime) -> Problem:
    days, day = (end.ends - now).days, f"{end.ends:%Y-%m-%d}"
    plural = "" if days == 1 else "s"
    if end.kind == "ca":
        return Problem(
            code="ca-expires-soon",
            message=f"the CA of {end.address} expires in {days} day{plural}, on {day}",
            hint="add the next CA to the file and apply, before Harbor's certificate is renewed",
        )
    if end.ends <= now:
        message = f"the certificate that {end.address} serves expired on {day}"
        return Problem(code="certificate-expired", message=message, hint="renew it, and restart Harbor's proxy")
    return Problem(
        code="certificate-expires-soon",
        message=f"the certificate that {end.address} serves expires in {days} day{plural}, on {day}",
        hint="renew it, and restart Harbor's proxy; nodes need nothing if the same CA issues it",
    )

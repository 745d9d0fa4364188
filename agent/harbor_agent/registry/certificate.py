"""The certificate that a registry serves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.registry.answer import Answer
from harbor_agent.registry.http import HttpClient

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.http import Connection


def read_served_certificate(address: Address, connection: Connection) -> bytes | None:
    """Return the certificate (DER) of a registry over HTTPS, also one that is not trusted; None without an answer."""
    client = HttpClient(replace(connection, is_verified=False))
    answer = client.request("GET", f"{address.url}/v2/")
    return answer.certificate or None if isinstance(answer, Answer) else None

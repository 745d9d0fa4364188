"""Registry names that nodes resolve and pods do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.local.resolver import is_in_dns
from harbor_agent.planning.dns.advice import advise_dns_entry, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address


def find_names_missing_in_dns(registries: Mapping[Address, tuple[str, ...]]) -> list[Problem]:
    """Return advice for every registry name that DNS does not know, with the Corefile block that answers it.

    `registries` maps each address to what a node resolves its name to. Asks DNS once for each name.
    """
    advice = (
        advise_dns_entry(address, resolved, in_dns=is_in_dns(address.host))
        for address, resolved in registries.items()
        if is_name(address)
    )
    return [problem for problem in advice if problem]

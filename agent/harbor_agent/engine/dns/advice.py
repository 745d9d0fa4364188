"""Registry names that nodes resolve and pods do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.local.resolver import name_in_dns
from harbor_agent.planning.dns.advice import dns_advice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address


def names_pods_miss(planned: Sequence[PlannedNode]) -> list[Problem]:
    """Return advice for every registry name that DNS does not know, with the block that would mend it."""
    addresses: dict[Address, tuple[str, ...]] = {}
    for node in planned:
        resolved = {r.entry: r.resolved or () for r in node.state.reachability} if node.state else {}
        for registry in node.policy.registries:
            if registry.state == "present" and not addresses.get(registry.address):
                addresses[registry.address] = resolved.get(registry.address.entry, ())
    names = [address for address in addresses if any(c.isalpha() for c in address.host) and ":" not in address.host]
    advice = (dns_advice(name, addresses[name], in_dns=name_in_dns(name.host)) for name in names)
    return [problem for problem in advice if problem]

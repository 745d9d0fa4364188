"""Whether a registry's name has to be added to the cluster's DNS, and the setting for that.

Nodes pull with their own resolver, /etc/hosts included. Pods (KubeSphere's Validate, Jenkins) ask CoreDNS. With
nodelocaldns they ask that first, and it forwards `.:53` straight to the node's upstream servers (coredns#3795).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.model.address import Address


def is_name(address: Address) -> bool:
    """Whether the address is a host name, Docker Hub excluded: only such a name can be missing in DNS."""
    return not (address.is_ip or address.is_docker_hub)


def advise_dns_entry(address: Address, node_resolved: tuple[str, ...], *, in_dns: bool | None) -> Problem | None:
    """Return how to make a name resolve for pods; None if DNS knows it, or may.

    `node_resolved` is what a node resolves the name to, `in_dns` whether DNS itself knows it
    (`harbor_agent.local.resolver.is_in_dns`; None means unknown, and gives no advice).
    """
    if in_dns is not False or not is_name(address):
        return None
    target = node_resolved[0] if node_resolved else "ADDRESS-OF-HARBOR"
    who = "nodes can pull, but pods cannot resolve it" if node_resolved else "pods cannot resolve it"
    return Problem(
        code="registry-name-not-in-dns",
        message=f"DNS, as seen from here, does not know {address.host}: {who}",
        hint=f"add it to DNS, or set 'resolve: {{address: {target}}}' for {address} in harbor-agent.yaml, then run: "
        "harbor-agent dns apply -c harbor-agent.yaml",
    )

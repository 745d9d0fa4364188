"""How to make a Harbor name resolve for pods: Corefile blocks to print; nothing writes them.

Nodes pull with their own resolver, /etc/hosts included. Pods (KubeSphere's Validate, Jenkins) ask CoreDNS. With
nodelocaldns they ask that first, and it forwards `.:53` straight to the node's upstream servers (coredns#3795).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.model.address import Address


def build_coredns_block(host: str, address: str) -> str:
    """Build the server block for CoreDNS's Corefile that answers `host` with `address`, marked as ours.

    Names below `host` are forwarded as before. It takes effect without a restart if the Corefile has `reload`, as
    kubeadm's, Kubespray's and KubeKey's have. k3s and AKS expect it in `coredns-custom`.
    """
    return f"""\
# BEGIN harbor-agent {host}
{host}:53 {{
    errors
    hosts {{
        {address} {host}
        fallthrough
    }}
    forward . /etc/resolv.conf
    cache 30
    reload
}}
# END harbor-agent {host}
"""


def build_nodelocaldns_block(host: str, *, listen: str = "169.254.25.10", cluster_dns: str = "10.233.0.3") -> str:
    """Build the server block for nodelocaldns's Corefile that forwards `host` to CoreDNS.

    node-cache before 1.17 has no `hosts` plugin. The defaults are Kubespray's and KubeKey's; `bind` and `forward`
    must match the block for cluster.local in the same Corefile.
    """
    return f"""\
# BEGIN harbor-agent {host}
# bind and forward: as in the block for cluster.local
{host}:53 {{
    errors
    cache 30
    reload
    bind {listen}
    forward . {cluster_dns} {{
        force_tcp
    }}
}}
# END harbor-agent {host}
"""


def is_name(address: Address) -> bool:
    """Whether the address is a host name, Docker Hub excluded: only such a name can be missing in DNS."""
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return not address.is_docker_hub
    return False


def advise_dns_entry(address: Address, node_resolved: tuple[str, ...], *, in_dns: bool | None) -> Problem | None:
    """Return how to make a name resolve for pods, with both blocks in the hint; None if DNS knows it, or may.

    `node_resolved` is what a node resolves the name to, `in_dns` whether DNS itself knows it
    (`harbor_agent.local.resolver.is_in_dns`; None means unknown, and gives no advice).
    """
    if in_dns is not False or not is_name(address):
        return None
    target = node_resolved[0] if node_resolved else "ADDRESS-OF-HARBOR"
    return Problem(
        code="registry-name-not-in-dns",
        message=f"DNS, as seen from here, does not know {address.host}: nodes can pull, but pods cannot resolve it",
        hint=(
            f"add it to DNS, or append to Corefile in the ConfigMap kube-system/coredns:\n\n"
            f"{build_coredns_block(address.host, target)}\n"
            f"and, if nodelocaldns is running, to Corefile in kube-system/nodelocaldns:\n\n"
            f"{build_nodelocaldns_block(address.host)}"
        ),
    )

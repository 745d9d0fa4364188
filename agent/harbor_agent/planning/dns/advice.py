"""What would make a Harbor domain resolve for pods; pure, and only ever printed.

Nodes pull with their own resolver, /etc/hosts included. Pods (KubeSphere's Validate, Jenkins) ask CoreDNS, and
with nodelocaldns that first, which sends `.:53` straight to the node's upstream servers (coredns#3795).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.model.address import Address


def coredns_block(host: str, address: str) -> str:
    """Return the server block for CoreDNS's Corefile that answers `host` with `address`, marked as ours.

    Names below `host` go on to the resolvers they went to before. It takes effect without a restart where the
    Corefile has `reload`, as kubeadm's, Kubespray's and KubeKey's do. k3s and AKS want it in `coredns-custom`.
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


def nodelocaldns_block(host: str, *, listen: str = "169.254.25.10", cluster_dns: str = "10.233.0.3") -> str:
    """Return the server block for nodelocaldns's Corefile that asks CoreDNS about `host`.

    It forwards, because node-cache before 1.17 has no `hosts` plugin. The defaults are Kubespray's and KubeKey's;
    `bind` and `forward` must be those of the block for cluster.local in the same Corefile.
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


def dns_advice(address: Address, node_resolved: tuple[str, ...], *, in_dns: bool | None) -> Problem | None:
    """Return what to tell of a domain that pods cannot resolve, with both blocks in the hint; None where they can.

    `node_resolved` is what a node resolves the name to, `in_dns` whether DNS itself knows the name
    (`harbor_agent.local.resolver.name_in_dns`; None, not known, advises nothing).
    """
    if in_dns is not False or address.is_docker_hub or _is_ip(address.host):
        return None
    target = node_resolved[0] if node_resolved else "ADDRESS-OF-HARBOR"
    return Problem(
        code="registry-name-not-in-dns",
        message=f"DNS, asked from here, does not know {address.host}: nodes can pull, pods cannot resolve it",
        hint=(
            f"enter it in DNS, or append to Corefile in the ConfigMap kube-system/coredns:\n\n"
            f"{coredns_block(address.host, target)}\n"
            f"and where nodelocaldns runs, to Corefile in kube-system/nodelocaldns:\n\n"
            f"{nodelocaldns_block(address.host)}"
        ),
    )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

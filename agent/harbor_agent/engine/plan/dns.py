"""The cluster's DNS as part of a run: its plan, and the nodes through which it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.ask import find_askers
from harbor_agent.engine.dns.report import DnsReport
from harbor_agent.engine.plan.fleet import load_nodes
from harbor_agent.engine.plan.nodes import open_transport
from harbor_agent.errors import AgentError
from harbor_agent.model.policy import ClusterDns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Policy
    from harbor_agent.transport.protocol import Transport

    AskNodes = Callable[[], tuple[str, ...] | None]


def find_nameservers(transport: Transport, nodes: Sequence[Node]) -> tuple[str, ...] | None:
    """Return the nameservers in the resolv.conf of all nodes that run kubelet; None if one is not known."""
    return find_askers(transport, nodes).nameservers


def plan_dns_of_run(policy: Policy, context: str | None, ask_nodes: AskNodes) -> DnsReport | None:
    """Plan the names of the registries with `resolve`; None if there are none, or if no kubeconfig is named.

    A cluster that cannot be read is a problem of the report. `ask_nodes` returns the nodes' nameservers; it is called
    only if the plan depends on them.
    """
    registries = tuple(one for one in policy.registries if one.resolve and one.resolve.cluster is ClusterDns.AUTO)
    if not registries or policy.kubeconfig is None:
        return None
    from harbor_agent.engine.dns.plan import plan_cluster_dns  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - likewise

    try:
        with open_cluster(policy.kubeconfig, context) as cluster:
            limited = replace(policy, registries=registries)
            return plan_cluster_dns(cluster, limited, ask_nodes)
    except AgentError as error:
        return DnsReport(servers=(), problem=error.problem)


def load_askers(selection: NodeSelection, listener: Listener) -> Askers | None:
    """Return the nodes of the inventory that run kubelet; None if no inventory is named.

    Raises UsageError for a wrong inventory.
    """
    if not selection.sources and selection.transport != "local":
        return None
    nodes = [node for node in load_nodes(selection, listener) if node.skip_reason is None]
    return find_askers(open_transport(selection), nodes)

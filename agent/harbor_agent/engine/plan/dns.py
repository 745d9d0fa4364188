"""The cluster's DNS as part of a run: its plan, and the nodes through which it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.ask import find_askers
from harbor_agent.engine.dns.report import DnsReport
from harbor_agent.engine.plan.fleet import load_nodes
from harbor_agent.engine.plan.nodes import open_transport
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.policy import ClusterDns
from harbor_agent.model.result import Outcome
from harbor_agent.planning.rollout.approval import approve_config_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.dns.report import ServerReport
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Policy
    from harbor_agent.transport.protocol import Transport

    AskNodes = Callable[[], tuple[str, ...] | None]
    from harbor_agent.planning.rollout.approval import ApprovedConfigMap


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


def approve_dns(report: DnsReport | None) -> tuple[ApprovedConfigMap, ...]:
    """Return what is approved with the plan of the cluster's DNS."""
    servers = report.servers if report else ()
    return tuple(approve_config_map(server.name, change) for server in servers for change in server.plan.changes)


def enforce_dns_approval(report: DnsReport | None, approved: tuple[ApprovedConfigMap, ...]) -> DnsReport | None:
    """Refuse every DNS server whose new plan has changes that are not the approved ones."""
    if report is None:
        return None
    return replace(report, servers=tuple(_enforce_on_server(server, approved) for server in report.servers))


def _enforce_on_server(server: ServerReport, approved: tuple[ApprovedConfigMap, ...]) -> ServerReport:
    now = [approve_config_map(server.name, change) for change in server.plan.changes]
    stale = next((one for one in now if one not in approved), None)
    if stale is None or server.outcome is not Outcome.PENDING:
        return server
    problem = Problem(
        code="plan-stale",
        message=f"{server.name} needs another change than the planned one: ConfigMap {stale.config_map} has changed",
        hint="plan again and check the new plan",
    )
    return replace(server, outcome=Outcome.REFUSED, problem=problem)


def load_askers(selection: NodeSelection, listener: Listener) -> Askers | None:
    """Return the nodes of the inventory that run kubelet; None if no inventory is named.

    Raises UsageError for a wrong inventory.
    """
    if not selection.sources and selection.transport != "local":
        return None
    nodes = [node for node in load_nodes(selection, listener) if node.skip_reason is None]
    return find_askers(open_transport(selection), nodes)

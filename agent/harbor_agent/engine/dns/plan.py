"""From the settings to a plan for every DNS server of the cluster; changes nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from harbor_agent.engine.dns.report import DnsReport, RecordedState, ServerReport
from harbor_agent.errors import AgentError, Problem, UsageError
from harbor_agent.kubernetes.dns.config_maps import read_config_map
from harbor_agent.kubernetes.dns.servers import NAMESPACE, list_dns_workloads
from harbor_agent.model.dns import CUSTOM_NAME, ConfigMapState, DnsEntry, DnsServer, ServerKind, hash_text
from harbor_agent.model.policy import ClusterDns
from harbor_agent.model.result import Outcome
from harbor_agent.planning.dns.facts import list_upstreams
from harbor_agent.planning.dns.past.rollback import list_differences, plan_dns_rollback
from harbor_agent.planning.dns.plan import plan_dns
from harbor_agent.planning.dns.record import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.model.dns import DnsPlan
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.runs import PastConfigMap

_T = TypeVar("_T")


def plan_cluster_dns(
    cluster: Cluster, policy: Policy, find_nameservers: Callable[[], tuple[str, ...] | None] = lambda: None
) -> DnsReport:
    """Plan the entries of the policy on every DNS server. Raises AgentError if the cluster cannot be read.

    `find_nameservers` returns those of the nodes; it is called only if a plan depends on whom CoreDNS asks there.
    """
    present, absent = select_entries(policy)
    if not present and not absent:
        raise UsageError.of(
            "registry-missing",
            "no registry has an address for its name",
            "set resolve.address of the registry in harbor-agent.yaml, or remove one with --absent --registry",
        )
    found = read_servers(cluster)
    servers = tuple(report_server(name, plan_dns(server, present, absent)) for name, server in found)
    if any(one.problem and one.problem.code == "dns-would-circle" for one in servers) and (known := find_nameservers()):
        informed = [(name, replace(server, node_resolvers=known)) for name, server in found]
        servers = tuple(report_server(name, plan_dns(server, present, absent)) for name, server in informed)
    return DnsReport(servers=servers, present=tuple(present), absent=tuple(absent), cluster=cluster.server)


def show_cluster_dns(cluster: Cluster) -> DnsReport:
    """Return every DNS server with the entries of ours, and whether its Corefile still has them."""
    servers = tuple(report_server(name, plan_dns(server, [])) for name, server in read_servers(cluster))
    return DnsReport(servers=servers, cluster=cluster.server)


def plan_cluster_rollback(cluster: Cluster, past: Sequence[PastConfigMap]) -> DnsReport:
    """Plan the texts from before a run on every DNS server.

    Raises AgentError if the cluster cannot be read, or is not the one that the run changed: clusters that were
    installed alike have the same Corefile.
    """
    if others := {one.cluster for one in past if one.cluster} - {cluster.server}:
        raise AgentError(_describe_other_cluster(min(others), cluster.server))
    added, removed = list_differences(past)
    found = read_servers(cluster)
    if gone := {one.server for one in past} - {name for name, _ in found}:
        raise AgentError.of(
            "dns-not-coredns",
            f"the DNS server of the run is gone: {', '.join(sorted(gone))}",
            "nothing is to roll back there; remove the entry where it is left with harbor-agent dns apply --absent",
        )
    servers = [
        report_server(name, plan_dns_rollback(server, [one for one in past if one.server == name]))
        for name, server in found
    ]
    kept = {entry.name for entry in removed}
    absent = tuple(entry.name for entry in added if entry.name not in kept)
    return DnsReport(servers=tuple(servers), present=tuple(removed), absent=absent, cluster=cluster.server)


def _describe_other_cluster(changed: str, opened: str) -> Problem:
    return Problem(
        code="rollback-other-cluster",
        message=f"the run changed the DNS of another cluster than the kubeconfig names: {changed} is not {opened}",
        hint="name the kubeconfig of that cluster in the settings or in KUBECONFIG, then roll back again",
    )


def select_entries(policy: Policy) -> tuple[list[DnsEntry], list[str]]:
    """Return the entries that pods must resolve, and the names whose entries of ours are removed."""
    present = [
        DnsEntry(name=registry.address.host.lower(), address=registry.resolve.address)
        for registry in policy.present
        if registry.resolve and registry.resolve.cluster is ClusterDns.AUTO
    ]
    kept = {entry.name for entry in present}
    absent = {one.address.host.lower() for one in policy.absent if one.address.host and not one.address.is_ip}
    return present, sorted(absent - kept)


def read_servers(cluster: Cluster) -> list[tuple[str, DnsServer]]:
    """Return the DNS servers of the cluster with the names of their workloads, CoreDNS first.

    Raises AgentError if they cannot be read, or if it is not clear which one answers pods.
    """
    workloads = _require(list_dns_workloads(cluster.client))
    if not workloads:
        return [_read_operated(cluster)]
    groups = [
        (kind, config, list(group))
        for (kind, config), group in groupby(
            sorted(workloads, key=lambda one: (one.server is ServerKind.NODE_CACHE, one.config)),
            key=lambda one: (one.server, one.config),
        )
    ]
    if len([kind for kind, _, _ in groups if kind is ServerKind.COREDNS]) > 1:
        names = ", ".join(str(workload) for workload in workloads if workload.server is ServerKind.COREDNS)
        raise AgentError.of(
            "dns-not-coredns",
            f"several CoreDNS with different ConfigMaps are in {NAMESPACE}: {names}",
            "remove the one that does not answer the cluster's DNS service, or set resolve.cluster to false",
        )
    servers: list[tuple[str, DnsServer]] = []
    for kind, _, group in groups:
        upstreams = list_upstreams(servers[0][1]) if servers else None
        servers.append((", ".join(map(str, group)), _read_server(cluster, kind, group, upstreams)))
    return servers


def _read_server(
    cluster: Cluster, kind: ServerKind, workloads: list[DnsWorkload], upstreams: tuple[str, ...] | None
) -> DnsServer:
    first = workloads[0]
    config = _require(read_config_map(cluster.client, first.namespace, first.config))
    if config is None:
        raise AgentError.of(
            "corefile-invalid",
            f"{first} mounts ConfigMap {first.namespace}/{first.config}, which does not exist",
            "restore it, then run the command again",
        )
    custom = _require(read_config_map(cluster.client, first.namespace, first.custom or CUSTOM_NAME))
    versions = [workload.version for workload in workloads if workload.version]
    return DnsServer(
        kind=kind,
        config=config,
        custom=custom if first.custom else None,
        custom_name=first.custom or CUSTOM_NAME,
        version=min(versions, default=None) if len(versions) == len(workloads) else None,
        coredns_upstreams=upstreams,
    )


def _read_operated(cluster: Cluster) -> tuple[str, DnsServer]:
    """Return OpenShift's DNS, whose plan is a refusal. Raises AgentError if the cluster does not have it either."""
    config = read_config_map(cluster.client, "openshift-dns", "dns-default")
    if isinstance(config, ConfigMapState):
        return "daemonset/dns-default", DnsServer(kind=ServerKind.COREDNS, config=config)
    raise AgentError.of(
        "dns-not-coredns",
        f"neither CoreDNS nor node-cache is in {NAMESPACE}",
        "add the name to the DNS that the cluster forwards to, and set resolve.cluster to false",
    )


def report_server(name: str, plan: DnsPlan) -> ServerReport:
    """Return the report of a server before anything is changed."""
    outcome = Outcome.REFUSED if plan.refusal else Outcome.PENDING if plan.changes else Outcome.UNCHANGED
    return ServerReport(name=name, plan=plan, outcome=outcome, problem=plan.refusal, recorded=_check(plan.server))


def _check(server: DnsServer) -> tuple[RecordedState, ...]:
    return tuple(
        RecordedState(
            recorded=record,
            present=not (again.changes or again.refusal),
            edited=bool(record.digest) and record.digest != hash_text(config.data.get(record.key, "")),
        )
        for config in _list_configs(server)
        for record in read_record(config)
        for again in [plan_dns(server, [record.entry])]
    )


def _list_configs(server: DnsServer) -> Iterable[ConfigMapState]:
    return (server.config, server.custom) if server.custom else (server.config,)


def _require(found: _T | Problem) -> _T:
    if isinstance(found, Problem):
        raise AgentError(found)
    return found

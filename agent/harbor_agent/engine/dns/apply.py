"""Applies the plans of the cluster's DNS servers, proves each one, and restores the old text if it does not load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.prove import observe_server, prove_reload
from harbor_agent.engine.dns.report import DnsReport
from harbor_agent.errors import Problem
from harbor_agent.kubernetes.dns.config_maps import read_config_map, write_change
from harbor_agent.kubernetes.dns.servers import list_dns_workloads
from harbor_agent.model.dns import ConfigMapChange
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.engine.dns.prove import Patience
    from harbor_agent.engine.dns.report import ServerReport
    from harbor_agent.kubernetes.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How long a server has for its proof, and the listener for what is waited for."""

    patience: Patience
    listener: Callable[[str], None]


def apply_cluster_dns(cluster: Cluster, report: DnsReport, options: ApplyOptions) -> DnsReport:
    """Apply the plans, each server proven before the next; nothing is changed if one of them is refused."""
    if any(server.outcome is Outcome.REFUSED for server in report.servers):
        return report
    done: list[ServerReport] = []
    for server in report.servers:
        is_halted = any(one.outcome not in (Outcome.CHANGED, Outcome.UNCHANGED) for one in done)
        if server.outcome is not Outcome.PENDING:
            done.append(server)
        elif is_halted:
            done.append(replace(server, outcome=Outcome.SKIPPED))
        else:
            done.append(_apply_server(cluster, server, options))
    return DnsReport(servers=tuple(done))


def _apply_server(cluster: Cluster, server: ServerReport, options: ApplyOptions) -> ServerReport:
    workloads = list_dns_workloads(cluster.client)
    mine = [] if isinstance(workloads, Problem) else [one for one in workloads if str(one) in server.name.split(", ")]
    before = observe_server(cluster, server.plan.server, mine)
    written: list[ConfigMapChange] = []
    for change in server.plan.changes:
        problem = write_change(cluster.client, change)
        if problem:
            return _undo(cluster, server, written, problem)
        written.append(change)
    if not isinstance(before, Problem):
        options.listener(f"{server.name}: waiting until its pods have read the new Corefile")
    proof = prove_reload(cluster, server.plan.server, mine, before, options.patience)
    if proof.failure:
        return _undo(cluster, server, written, proof.failure)
    return replace(server, outcome=Outcome.CHANGED, unproven=proof.unproven)


def _undo(cluster: Cluster, server: ServerReport, written: list[ConfigMapChange], problem: Problem) -> ServerReport:
    """Restore what was written, each text only if it is still ours."""
    for change in reversed(written):
        failure = _restore(cluster, change)
        if failure:
            return replace(server, outcome=Outcome.ROLLBACK_FAILED, problem=failure)
    return replace(server, outcome=Outcome.ROLLED_BACK if written else Outcome.FAILED, problem=problem)


def _restore(cluster: Cluster, change: ConfigMapChange) -> Problem | None:
    before = change.before
    if change.after is None:
        return write_change(cluster.client, ConfigMapChange(before=replace(before, uid=""), after=before))
    found = read_config_map(cluster.client, before.namespace, before.name)
    if isinstance(found, Problem):
        return found
    if found is None or found.data != change.after.data:
        return Problem(
            code="cluster-conflict",
            message=f"configmap {before.name} in namespace {before.namespace} was changed again, and not restored",
            hint=f"check it by hand: kubectl -n {before.namespace} get configmap {before.name} -o yaml",
        )
    after = None if change.creates else replace(found, data=before.data, annotations=before.annotations)
    return write_change(cluster.client, ConfigMapChange(before=found, after=after))

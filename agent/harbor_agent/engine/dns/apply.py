"""Applies the plans of the cluster's DNS servers, proves each one, and restores the old text if it is not right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.answers import ask_after, ask_before
from harbor_agent.engine.dns.prove import Proof, describe_unproven, observe_server, prove_reload
from harbor_agent.engine.dns.restart import prove_restart, restart_pods
from harbor_agent.errors import Problem
from harbor_agent.kubernetes.dns.config_maps import read_config_map, write_change
from harbor_agent.kubernetes.dns.servers import list_dns_workloads
from harbor_agent.model.dns import ConfigMapChange
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.dns.answers import Baseline
    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.dns.prove import Patience, States
    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.dns.servers import DnsWorkload


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How long a server has for its proof, and the listener for what is waited for.

    Without `askers` no node asks DNS, and what the pods report has to do. Once `patience.stop` returns a code, no
    further server is changed.
    """

    patience: Patience
    listener: Callable[[str], None]
    askers: Askers | None = None


def apply_cluster_dns(cluster: Cluster, report: DnsReport, options: ApplyOptions) -> DnsReport:
    """Apply the plans, each server proven before the next; nothing is changed if one of them is refused."""
    if any(server.outcome is Outcome.REFUSED for server in report.servers):
        return report
    done: list[ServerReport] = []
    for server in report.servers:
        is_halted = any(one.outcome not in (Outcome.CHANGED, Outcome.UNCHANGED) for one in done)
        if server.outcome is Outcome.UNCHANGED and not is_halted:
            done.append(_verify_unchanged(cluster, report, server, options))
        elif server.outcome is not Outcome.PENDING:
            done.append(server)
        elif is_halted or options.patience.stop():
            done.append(replace(server, outcome=Outcome.SKIPPED))
        else:
            done.append(_apply_server(cluster, report, server, options))
    return replace(report, servers=tuple(done))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What was seen of a server before its change: the reports of its pods, and its answers to the nodes."""

    workloads: Sequence[DnsWorkload]
    states: States | Problem
    baseline: Baseline | None


def _list_workloads(cluster: Cluster, server: ServerReport) -> list[DnsWorkload]:
    workloads = list_dns_workloads(cluster.client)
    return [] if isinstance(workloads, Problem) else [one for one in workloads if str(one) in server.name.split(", ")]


def _verify_unchanged(cluster: Cluster, report: DnsReport, server: ServerReport, options: ApplyOptions) -> ServerReport:
    """Ask a server that has the entries already; a wrong answer is a failure, and none proves nothing."""
    if options.askers is None or not report.present:
        return server
    asked = ask_before(options.askers, cluster, report, server, _list_workloads(cluster, server))
    verdict = ask_after(asked, seconds=options.patience.answers, patience=options.patience)
    if verdict.wrong:
        return replace(server, outcome=Outcome.FAILED, problem=verdict.wrong)
    return replace(server, proven=(verdict.proven,) if verdict.proven else ())


def _apply_server(cluster: Cluster, report: DnsReport, server: ServerReport, options: ApplyOptions) -> ServerReport:
    mine = _list_workloads(cluster, server)
    before = _Before(
        workloads=mine,
        states=observe_server(cluster, server.plan.server, mine),
        baseline=ask_before(options.askers, cluster, report, server, mine) if options.askers else None,
    )
    written: list[ConfigMapChange] = []
    for change in server.plan.changes:
        problem = write_change(cluster.client, change)
        if problem:
            return _undo(cluster, server, written, problem)
        written.append(change)
    proof = _prove(cluster, server, before, options)
    if proof.failure:
        undone = _undo(cluster, server, written, proof.failure)
        return _restart_again(cluster, undone, mine) if server.plan.restarts else undone
    unproven = describe_unproven(server.plan.server, proof.unproven) if proof.unproven else None
    return replace(server, outcome=Outcome.CHANGED, unproven=unproven, proven=proof.proven)


def _prove(cluster: Cluster, server: ServerReport, before: _Before, options: ApplyOptions) -> Proof:
    """Wait for the pods' own reports, then for the answers to the nodes."""
    patience = options.patience
    if server.plan.restarts:
        options.listener(f"{server.name}: restarting its pods")
        proof = prove_restart(cluster, before.workloads, patience)
        return proof if proof.failure else _ask(server, before, options, proof, patience.answers)
    is_observed = not isinstance(before.states, Problem)
    if is_observed:
        options.listener(f"{server.name}: waiting until its pods have read the new Corefile")
    proof = prove_reload(cluster, server.plan.server, before.workloads, before.states, patience)
    if proof.failure:
        return proof
    return _ask(server, before, options, proof, patience.answers if is_observed else patience.limit)


def _ask(server: ServerReport, before: _Before, options: ApplyOptions, proof: Proof, seconds: float) -> Proof:
    """Add what the nodes are answered within so many seconds to what the pods reported."""
    if before.baseline is None:
        return proof
    options.listener(f"{server.name}: asking it from the nodes")
    verdict = ask_after(before.baseline, seconds=seconds, patience=options.patience)
    if verdict.wrong:
        return Proof(failure=verdict.wrong)
    proven = (*proof.proven, verdict.proven) if verdict.proven else proof.proven
    return Proof(unproven=(*proof.unproven, *verdict.unasked), proven=proven)


def _restart_again(cluster: Cluster, undone: ServerReport, workloads: Sequence[DnsWorkload]) -> ServerReport:
    """Restart the pods once more, with the old text. The result says if that was not possible."""
    problem = restart_pods(cluster, workloads) if undone.outcome is Outcome.ROLLED_BACK else None
    return replace(undone, outcome=Outcome.ROLLBACK_FAILED, problem=problem) if problem else undone


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

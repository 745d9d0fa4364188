"""Drift of the cluster's DNS: a ConfigMap that another program rewrote, so that an entry of ours is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import CorrectedFile, find_quarantine
from harbor_agent.engine.exit_codes import compute_drift_exit_code
from harbor_agent.engine.plan.dns import plan_dns_of_run
from harbor_agent.errors import AgentError, ExitCode, Problem
from harbor_agent.model.dns import hash_data
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import Quarantine
from harbor_agent.planning.dns.plan import plan_dns
from harbor_agent.planning.dns.record import parse_record
from harbor_agent.planning.drift import DriftStatus, find_reverted_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.engine.drift.corrections import CorrectionLog
    from harbor_agent.engine.plan.dns import AskNodes
    from harbor_agent.model.dns import DnsEntry
    from harbor_agent.model.policy import Policy

_APPLY = "run harbor-agent apply, which shows the plan and asks"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedServer:
    """One DNS server: its plan restores `entries`, which are missing. `problem` is what forbids its correction.

    `place` is the cluster (`Cluster.server`).
    """

    server: ServerReport
    status: DriftStatus
    entries: tuple[DnsEntry, ...] = ()
    reason: str = ""
    problem: Problem | None = None
    quarantine: Quarantine | None = None
    place: str = ""

    @property
    def name(self) -> str:
        """Its ConfigMap, which is the name in the log of corrections and in the quarantine."""
        return self.server.plan.server.config.full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsDrift:
    """The DNS servers of the cluster. `report` is the plan of the current settings, `problem` why there are none."""

    report: DnsReport
    servers: tuple[DriftedServer, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """Why the cluster could not be read."""
        return self.report.problem

    @property
    def exit_code(self) -> ExitCode:
        """The exit code if nothing is corrected."""
        return ExitCode.FAILED if self.problem else compute_drift_exit_code(one.status for one in self.servers)


def detect_dns_drift(
    policy: Policy, context: str | None, quarantines: Sequence[Quarantine], ask_nodes: AskNodes
) -> DnsDrift | None:
    """Compare every DNS server with its record; None if no name should be in DNS, or if no kubeconfig is named."""
    report = plan_dns_of_run(policy, context, ask_nodes)
    if report is None:
        return None
    found = [replace(_classify(server, report), place=report.cluster) for server in report.servers]
    return DnsDrift(
        report=report,
        servers=tuple(replace(one, quarantine=find_quarantine(quarantines, one.name, one.place)) for one in found),
    )


def choose_dns_corrections(drift: DnsDrift, log: CorrectionLog, *, accept_restart: bool) -> DnsDrift:
    """Return the servers with the problem that forbids the correction of each; a fight ends in quarantine."""
    checked = [_check_allowed(one, log) for one in drift.servers]
    if not accept_restart:
        checked = [replace(one, problem=one.problem or _find_objection(one)) for one in checked]
    return replace(drift, servers=tuple(checked))


def build_dns_correction(drift: DnsDrift) -> DnsReport | None:
    """Return the plan that restores what was recorded; None if there is nothing to correct."""
    chosen = [one for one in drift.servers if one.status is DriftStatus.DRIFT and one.problem is None]
    if not chosen:
        return None
    entries = {entry for one in chosen for entry in one.entries}
    present = tuple(entry for entry in drift.report.present if entry in entries)
    return replace(drift.report, servers=tuple(one.server for one in chosen), present=present, absent=())


def list_corrected_texts(drift: DnsDrift) -> list[CorrectedFile]:
    """Return the ConfigMaps that a correction will change, as they are now."""
    return [
        CorrectedFile(
            node=one.name, place=one.place, path=one.name, found=hash_data(one.server.plan.server.config.data)
        )
        for one in drift.servers
        if one.status is DriftStatus.DRIFT and one.problem is None
    ]


def _classify(server: ServerReport, report: DnsReport) -> DriftedServer:
    present, config = report.present, server.plan.server.config.full_name
    if server.problem:
        return DriftedServer(server=server, status=DriftStatus.FAILED, problem=server.problem)
    lost = [one.recorded.entry for one in server.recorded if not one.present]
    lost += [
        entry for entry in _recall_entries(server, report.cluster) if plan_dns(server.plan.server, [entry]).changes
    ]
    if lost:
        names = ", ".join(entry.name for entry in lost)
        reason = f"another program rewrote ConfigMap {config}: {names} is missing"
        plan = plan_dns(server.plan.server, [entry for entry in lost if entry in present])
        problem = None if set(lost) <= set(present) else _describe_missing_approval(config)
        restoring = replace(server, plan=plan, outcome=Outcome.PENDING)
        return DriftedServer(
            server=restoring, status=DriftStatus.DRIFT, entries=tuple(lost), reason=reason, problem=problem
        )
    if server.plan.changes:
        status = DriftStatus.PENDING if server.recorded else DriftStatus.UNMANAGED
        return DriftedServer(server=server, status=status, reason="the settings differ from what was applied")
    return DriftedServer(server=server, status=DriftStatus.IN_SYNC)


def _recall_entries(server: ServerReport, cluster: str) -> list[DnsEntry]:
    """Return the entries that runs of this controller left, of a ConfigMap that was replaced with its annotation."""
    from harbor_agent.engine.history.runs import Store  # noqa: PLC0415 - SQLite is not needed without a cluster

    if server.recorded or not server.plan.changes:
        return []
    namespace = server.plan.server.config.namespace
    names = (server.plan.server.config.name, server.plan.server.custom_name)
    try:
        with Store() as store:
            past = [store.find_last_change(cluster, namespace, name) for name in names]
    except AgentError:
        return []
    return [record.entry for one in past if one for record in parse_record(one.record_after)]


def _check_allowed(one: DriftedServer, log: CorrectionLog) -> DriftedServer:
    if one.status is not DriftStatus.DRIFT or one.problem:
        return one
    if one.quarantine:
        return replace(one, problem=_describe_fight(one.name, one.quarantine, log))
    found = {one.name: hash_data(one.server.plan.server.config.data)}
    reverted = find_reverted_file(found, log.list_corrections(one.name, one.place))
    if reverted is None:
        return one
    _, reason = reverted
    since = datetime.now(UTC).isoformat(timespec="seconds")
    quarantine = Quarantine(node=one.name, place=one.place, since=since, path=one.name, reason=reason)
    log.quarantine(quarantine)
    return replace(one, quarantine=quarantine, problem=_describe_fight(one.name, quarantine, log))


def _find_objection(one: DriftedServer) -> Problem | None:
    return one.server.find_objection() if one.status is DriftStatus.DRIFT else None


def _describe_fight(config: str, quarantine: Quarantine, log: CorrectionLog) -> Problem:
    return Problem(
        code="dns-owner-rewrites",
        message=f"another program rewrites ConfigMap {config}: {quarantine.reason}; in quarantine since "
        f"{quarantine.since}",
        hint="add the name to the settings of the program that owns it, such as dns_etchosts (Kubespray) or "
        f"dnsEtcHosts (KubeKey), then run harbor-agent drift release {log.find_name(quarantine)}",
    )


def _describe_missing_approval(config: str) -> Problem:
    return Problem(
        code="drift-not-approved",
        message=f"the current settings differ from what was added to ConfigMap {config}",
        hint=_APPLY,
    )

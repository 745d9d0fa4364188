"""The series about what the cluster has: pull secrets, and its DNS servers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.metrics.summary import build_sample
from harbor_agent.engine.drift.secret_corrections import list_states_after
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.engine.drift.dns import DnsDrift
    from harbor_agent.engine.drift.metrics.summary import Family
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.reports.report import Report

_STATUSES = tuple(status for status in DriftStatus if status is not DriftStatus.BUSY)


def list_secret_families(drift: SecretsDrift | None, ended: Report | None) -> Iterator[Family]:
    """Yield the families of pull secrets; none if the settings have none, or if the cluster could not be read."""
    if drift is None or drift.problem:
        return
    report = ended.secrets if ended else None
    left = list_states_after(drift, report)
    counts = Counter(left)
    yield (
        "harbor_agent_drift_pull_secrets",
        "Pull secrets by their status after the last run.",
        [({"status": status.value}, counts[status]) for status in _STATUSES],
    )
    yield (
        "harbor_agent_drift_pull_secret_status",
        "Always 1: the status of the pull secret after the last run.",
        [
            ({"namespace": one.namespace, "secret": one.name, "status": status.value}, 1)
            for one, status in zip(drift.secrets, left, strict=True)
        ],
    )
    outcomes = Counter(item.result.outcome for item in (report.items if report else ()))
    yield (
        "harbor_agent_drift_pull_secret_corrections",
        "Pull secrets that the last run chose to correct, by outcome.",
        [({"outcome": outcome.value}, number) for outcome, number in outcomes.items()],
    )
    quarantined = [{"namespace": one.namespace, "secret": one.name} for one in drift.secrets if one.quarantine]
    yield (
        "harbor_agent_drift_quarantined_pull_secrets",
        "Pull secrets that are not corrected, because another program changes them again.",
        build_sample(len(quarantined)),
    )
    yield (
        "harbor_agent_drift_pull_secret_quarantined",
        "Always 1: the pull secret is in quarantine.",
        [(labels, 1) for labels in quarantined],
    )


def list_dns_families(drift: DnsDrift | None, ended: Report | None) -> Iterator[Family]:
    """Yield the families of DNS servers; none if the settings have no names, or if the cluster could not be read."""
    if drift is None or drift.problem:
        return
    corrected = ended.dns.servers if ended and ended.dns else ()
    done = {one.name for one in corrected if one.outcome is Outcome.CHANGED}
    left = [DriftStatus.IN_SYNC if one.server.name in done else one.status for one in drift.servers]
    counts = Counter(left)
    yield (
        "harbor_agent_drift_dns_servers",
        "DNS servers of the cluster by the status of their entries after the last run.",
        [({"status": status.value}, counts[status]) for status in _STATUSES],
    )
    yield (
        "harbor_agent_drift_dns_server_status",
        "Always 1: the status of the entries of the DNS server after the last run.",
        [
            ({"server": one.server.name, "config_map": one.name, "status": status.value}, 1)
            for one, status in zip(drift.servers, left, strict=True)
        ],
    )
    outcomes = Counter(one.outcome for one in corrected if one.outcome is not Outcome.UNCHANGED)
    yield (
        "harbor_agent_drift_dns_corrections",
        "DNS servers that the last run chose to correct, by outcome.",
        [({"outcome": outcome.value}, number) for outcome, number in outcomes.items()],
    )
    yield (
        "harbor_agent_drift_dns_server_quarantined",
        "Always 1: the ConfigMap of the DNS server is in quarantine.",
        [({"server": one.server.name, "config_map": one.name}, 1) for one in drift.servers if one.quarantine],
    )

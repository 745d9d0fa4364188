"""The series about the run itself, and the order of all of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.drift.metrics.cluster import list_dns_families, list_secret_families
from harbor_agent.engine.drift.metrics.nodes import DRIFTED_SINCE, find_drifted_since, list_node_families
from harbor_agent.engine.drift.metrics.summary import WENT_WELL, build_sample
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.engine.drift.metrics.summary import DriftRunSummary, Family, Past

LAST_SUCCESS = "harbor_agent_drift_last_success_timestamp_seconds"
_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)


def list_families(summary: DriftRunSummary, past: Past) -> Iterator[Family]:
    """Yield all families. A run without nodes has no series of what they are, rather than zeros."""
    yield "harbor_agent_build_info", "The version that wrote this file.", [({"version": __version__}, 1)]
    yield (
        "harbor_agent_drift_last_run_timestamp_seconds",
        "When the last run ended, regardless of its result.",
        build_sample(int(summary.ended_at)),
    )
    last_success = _find_last_success(summary, past)
    yield (
        LAST_SUCCESS,
        "When a run last completed its check: exit code 0, 3, 4 or 5.",
        build_sample(last_success) if last_success is not None else [],
    )
    yield "harbor_agent_drift_duration_seconds", "How long the last run took.", build_sample(round(summary.seconds, 3))
    yield "harbor_agent_drift_exit_code", "The exit code of the last run.", build_sample(summary.exit_code)
    outcomes = Counter(result.outcome for result in (summary.correction.results if summary.correction else ()))
    yield (
        "harbor_agent_drift_corrections",
        "Nodes that the last run chose to correct, by outcome.",
        [({"outcome": outcome.value}, outcomes[outcome]) for outcome in _OUTCOMES],
    )
    yield (
        DRIFTED_SINCE,
        "When a run first found the drift of a node that no run has seen corrected since.",
        [({"node": node}, since) for node, since in find_drifted_since(summary, past).items()],
    )
    if summary.report is None:
        return
    yield from list_node_families(summary.report, summary.correction)
    yield from list_secret_families(summary.report.secrets, summary.correction)
    yield from list_dns_families(summary.report.dns, summary.correction)
    yield (
        "harbor_agent_certificate_not_after_timestamp_seconds",
        "When the last CA of a registry expires, or the certificate that the registry serves.",
        [
            ({"registry": str(one.address), "kind": one.kind}, int(one.ends.timestamp()))
            for one in summary.report.certificates
        ],
    )


def _find_last_success(summary: DriftRunSummary, past: Past) -> int | None:
    """Return when a run last completed its check: now, or the time that an earlier run wrote.

    A time in the future counts as now: after a clock that jumped ahead, an alert on old metrics would stay silent.
    """
    now = int(summary.ended_at)
    if summary.exit_code in WENT_WELL:
        return now
    return min(past.last_success, now) if past.last_success is not None else None

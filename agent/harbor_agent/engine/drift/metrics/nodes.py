"""The series about nodes: their status after the run, by runtime, and since when they drift."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.metrics.summary import build_sample, escape_bytes
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.metrics.summary import DriftRunSummary, Family, Past
    from harbor_agent.engine.reports.report import Report

DRIFTED_SINCE = "harbor_agent_drift_node_drifted_since_timestamp_seconds"
# They leave open whether the node drifts.
_OPEN = frozenset({DriftStatus.BUSY, DriftStatus.UNREACHABLE, DriftStatus.FAILED})


def list_node_families(report: DriftReport, ended: Report | None) -> Iterator[Family]:
    """Yield the families of a run that read nodes."""
    left = _list_statuses_after(report, ended)
    quarantined = [node.name for node in report.nodes if node.quarantine]
    counts = Counter(left.values())
    yield (
        "harbor_agent_drift_nodes",
        "Nodes by their status after the last run.",
        [({"status": status.value}, counts[status]) for status in DriftStatus],
    )
    runtimes = Counter((node.planned.runtime if node.planned.state else "", left[node.name]) for node in report.nodes)
    yield (
        "harbor_agent_drift_runtime_nodes",
        "Nodes by their runtime (empty if they were not reached) and their status after the last run.",
        [({"runtime": runtime, "status": status.value}, number) for (runtime, status), number in runtimes.items()],
    )
    yield (
        "harbor_agent_drift_node_status",
        "Always 1: the status of the node after the last run.",
        [(_label_node(node, status=left[node.name].value), 1) for node in report.nodes],
    )
    outcomes = {result.node: result.outcome for result in (ended.results if ended else ())}
    yield (
        "harbor_agent_drift_node_corrected",
        "Always 1: the outcome of the correction of the node in the last run.",
        [(_label_node(node, outcome=outcomes[node.name].value), 1) for node in report.nodes if node.name in outcomes],
    )
    yield (
        "harbor_agent_drift_quarantined_nodes",
        "Nodes that are not corrected, because another program reverts corrections there.",
        build_sample(len(quarantined)),
    )
    yield (
        "harbor_agent_drift_node_quarantined",
        "Always 1: the node is in quarantine.",
        [({"node": name}, 1) for name in quarantined],
    )


def find_drifted_since(summary: DriftRunSummary, past: Past) -> Mapping[str, int]:
    """Return since when nodes drift, by their label: since this run, or since the earlier run that found it first.

    A node that could not be read keeps its time, and so do all if no node was read: none of them is known to be right.
    """
    now = int(summary.ended_at)
    known = {node: min(since, now) for node, since in past.drifted_since.items()}
    if summary.report is None:
        return known
    found: dict[str, int] = {}
    for name, status in _list_statuses_after(summary.report, summary.correction).items():
        label = escape_bytes(name)
        if status is DriftStatus.DRIFT:
            found[label] = known.get(label, now)
        elif status in _OPEN and label in known:
            found[label] = known[label]
    return found


def _list_statuses_after(report: DriftReport, ended: Report | None) -> dict[str, DriftStatus]:
    """Return the status of each node after the run: a corrected one is in sync."""
    done = ended.changed_nodes if ended else frozenset()
    return {node.name: DriftStatus.IN_SYNC if node.name in done else node.status for node in report.nodes}


def _label_node(node: DriftedNode, **labels: str) -> dict[str, str]:
    """Return the labels of a node; the runtime of one that was not reached is not known."""
    runtime = {"runtime": node.planned.runtime} if node.planned.state else {}
    return {"node": node.name, **runtime, **labels}

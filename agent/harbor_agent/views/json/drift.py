"""How nodes stand against what they remember."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harbor_agent import __version__
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.json.common import alike, masked, problem_document
from harbor_agent.views.json.run import run_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.errors import Problem
    from harbor_agent.views.json.common import Json

DRIFT_SCHEMA = "harbor-agent/drift/1"


def drift_document(report: DriftReport, exit_code: int, ended: Report | None, stopped: Problem | None) -> Json:
    """Return the object that `drift -o json` prints.

    `ended` is the run that corrected nodes, `stopped` why none did although it was asked for.
    """
    nodes = [_drifted(node) for node in report.nodes]
    return {
        "schema": DRIFT_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": exit_code,
        "summary": {status.value: sum(node.status is status for node in report.nodes) for status in DriftStatus},
        "nodes": nodes,
        "groups": _groups(nodes),
        "run": run_document(ended) if ended else None,
        "stopped": problem_document(stopped) if stopped else None,
        "warnings": [problem_document(problem) for problem in report.warnings],
    }


def _groups(nodes: Iterable[Json]) -> list[Json]:
    """Return which nodes have the same status and differ in the same way."""
    same = ("status", "code", "files", "entries", "arguments")
    return [
        {
            **{name: group[0][name] for name in ("status", "code")},
            "files": [file["path"] for file in cast("list[Json]", group[0]["files"])],
            "nodes": [node["node"] for node in group],
        }
        for group in alike(([node[name] for name in same], node) for node in nodes)
    ]


def _drifted(node: DriftedNode) -> Json:
    drift, quarantine = node.drift, node.quarantine
    record = node.planned.state.record if node.planned.state else None
    return {
        "node": node.name,
        "status": node.status.value,
        "in_files": bool(drift and drift.in_files),
        "at_runtime": bool(drift and drift.at_runtime),
        "files": [
            {"path": file.path, "recorded": file.recorded, "found": file.found, "owner": masked(file.owner)}
            for file in (drift.files if drift else ())
        ],
        "entries": [
            {"entry": entry.entry, "where": entry.where, "wanted": entry.wanted}
            for entry in (drift.entries if drift else ())
        ],
        "arguments": {
            "missing": [masked(argument) for argument in (drift.missing_arguments if drift else ())],
            "added": [masked(argument) for argument in (drift.added_arguments if drift else ())],
        },
        "recorded_by": record.run_id if record else None,
        "quarantined_since": quarantine.since if quarantine else None,
        "reason": node.reason,
        "code": node.problem.code if node.problem else None,
        "message": node.problem.message if node.problem else None,
        "hint": node.problem.hint if node.problem else None,
        "seconds": round(node.planned.seconds, 3),
    }

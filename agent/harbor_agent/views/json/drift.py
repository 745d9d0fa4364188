"""The differences between nodes and their records."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harbor_agent.planning.drift import DriftStatus
from harbor_agent.planning.node import find_record
from harbor_agent.views.json.common import begin_document, describe_problem, explain, group_alike, mask
from harbor_agent.views.json.dns import describe_entries
from harbor_agent.views.json.run import build_run_document, describe_scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.dns import DnsDrift, DriftedServer
    from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.errors import Problem
    from harbor_agent.views.json.common import Json

DRIFT_SCHEMA = "harbor-agent/drift/2"


def build_drift_document(report: DriftReport, exit_code: int, ended: Report | None, blocked_by: Problem | None) -> Json:
    """Return the object that `drift -o json` prints.

    `ended` is the run that corrected nodes, `blocked_by` why none did although it was requested. The summary counts
    the nodes after that run, so corrected ones are in sync; each node has the status in which it was found.
    """
    corrected = ended.changed_nodes if ended else frozenset()
    left = [DriftStatus.IN_SYNC if node.name in corrected else node.status for node in report.nodes]
    nodes = [_describe_node(node) for node in report.nodes]
    return {
        **begin_document(DRIFT_SCHEMA),
        "exit_code": exit_code,
        **describe_scope(report.scope),
        "summary": {status.value: left.count(status) for status in DriftStatus},
        "dns": _describe_dns(report.dns),
        "secrets": _describe_secrets(report.secrets),
        "nodes": nodes,
        "groups": group_drift(nodes),
        "run": build_run_document(ended) if ended else None,
        "blocked_by": describe_problem(blocked_by) if blocked_by else None,
        "warnings": [describe_problem(problem) for problem in report.warnings],
    }


def _describe_dns(dns: DnsDrift | None) -> Json | None:
    if dns is None:
        return None
    return {"servers": [_describe_server(one) for one in dns.servers], **explain(dns.problem)}


def _describe_server(one: DriftedServer) -> Json:
    return {
        "name": one.server.name,
        "config_map": one.name,
        "status": one.status.value,
        "entries": describe_entries(one.server),
        "quarantined_since": one.quarantine.since if one.quarantine else None,
        **explain(one.problem, one.reason),
    }


def _describe_secrets(drift: SecretsDrift | None) -> Json | None:
    if drift is None:
        return None
    return {"secrets": [_describe_secret(one) for one in drift.secrets], **explain(drift.problem)}


def _describe_secret(one: DriftedSecret) -> Json:
    return {
        "namespace": one.namespace,
        "name": one.name,
        "registry": one.registry,
        "status": one.status.value,
        "applied_by": (one.scope.run_id or None) if one.scope else None,
        "applied": one.scope.applied if one.scope else None,
        "quarantined_since": one.quarantine.since if one.quarantine else None,
        "message": one.problem.message if one.problem else None,
        **explain(one.problem, one.reason),
    }


def group_drift(nodes: Iterable[Json]) -> list[Json]:
    """Group the nodes with the same status and the same differences."""
    same = ("status", "code", "files", "entries", "arguments")
    return [
        {
            **{name: group[0][name] for name in ("status", "code")},
            "files": [file["path"] for file in cast("list[Json]", group[0]["files"])],
            "nodes": [node["node"] for node in group],
        }
        for group in group_alike(([node[name] for name in same], node) for node in nodes)
    ]


def _describe_node(node: DriftedNode) -> Json:
    drift, quarantine = node.drift, node.quarantine
    record = find_record(node.planned.state) if node.planned.state else None
    return {
        "node": node.name,
        "status": node.status.value,
        "in_files": bool(drift and drift.in_files),
        "at_runtime": bool(drift and drift.at_runtime),
        "files": [
            {"path": file.path, "recorded": file.recorded, "found": file.found, "owner": mask(file.owner)}
            for file in (drift.files if drift else ())
        ],
        "entries": [
            {"entry": entry.entry, "where": entry.where, "wanted": entry.wanted}
            for entry in (drift.entries if drift else ())
        ],
        "arguments": {
            "missing": [mask(argument) for argument in (drift.missing_arguments if drift else ())],
            "added": [mask(argument) for argument in (drift.added_arguments if drift else ())],
        },
        "recorded_by": record.run_id if record else None,
        "quarantined_since": quarantine.since if quarantine else None,
        "message": node.problem.message if node.problem else None,
        **explain(node.problem, node.reason),
        "seconds": round(node.planned.seconds, 3),
    }

"""The DNS servers of the cluster: planned, applied, listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.dns.diff import render_config_map_diff
from harbor_agent.views.json.common import begin_document, describe_problem, explain

if TYPE_CHECKING:
    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.errors import ExitCode
    from harbor_agent.views.json.common import Json

SCHEMA = "harbor-agent/dns/2"


def build_dns_document(report: DnsReport, exit_code: ExitCode) -> Json:
    """Return the document of `dns show`, `dns diff` and `dns apply`."""
    return begin_document(SCHEMA) | {
        "run_id": report.run_id or None,
        "exit_code": int(exit_code),
        "servers": describe_servers(report),
        "warnings": [describe_problem(warning) for warning in report.warnings],
    }


def describe_dns(report: DnsReport | None) -> Json | None:
    """Return the member `dns` of a plan or a run, None if the cluster's DNS is not part of it."""
    return {"servers": describe_servers(report), **explain(report.problem)} if report else None


def describe_servers(report: DnsReport) -> list[Json]:
    """Return an object for each DNS server, in the order in which they are changed."""
    return [_describe_server(server) for server in report.servers]


def _describe_server(server: ServerReport) -> Json:
    plan = server.plan
    return {
        "name": server.name,
        "kind": plan.server.kind.value,
        "config_map": plan.server.config.full_name,
        "outcome": server.outcome.value,
        "changes": [
            {"config_map": change.before.full_name, "diff": render_config_map_diff(change)} for change in plan.changes
        ],
        "entries": describe_entries(server),
        "proven": list(server.proven),
        "unproven": describe_problem(server.unproven) if server.unproven else None,
        "restarts": plan.restarts,
        "apply_refuses": describe_problem(server.objection) if server.objection else None,
        "warnings": [describe_problem(warning) for warning in plan.warnings],
        **explain(server.problem),
    }


def describe_entries(server: ServerReport) -> list[Json]:
    """Return the entries that this tool added to a server before, and whether they are still there."""
    return [
        {
            "name": one.recorded.entry.name,
            "address": one.recorded.entry.address,
            "key": one.recorded.key,
            "present": one.present,
            "edited": one.edited,
        }
        for one in server.recorded
    ]

"""The DNS servers of the cluster as items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.dns.diff import render_config_map_diff
from harbor_agent.views.outline.value import VERDICTS, Item, Kind, Verdict

if TYPE_CHECKING:
    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.errors import Problem


def outline_dns(report: DnsReport | None) -> tuple[Item, ...]:
    """Return the servers of a plan or a run, or why the cluster could not be read."""
    if report is None:
        return ()
    if report.problem:
        return (describe_unread(report.problem, Kind.DNS_SERVER, "cluster's DNS"),)
    return tuple(map(_outline_server, report.servers))


def describe_unread(problem: Problem, kind: Kind, name: str) -> Item:
    """Return the item of something that could not be read from the cluster."""
    return Item(name=name, kind=kind, verdict=Verdict.ERROR, status="failed", problem=problem)


def _outline_server(server: ServerReport) -> Item:
    problem = server.problem or server.unproven
    return Item(
        name=server.name,
        kind=Kind.DNS_SERVER,
        verdict=Verdict.FAILURE if server.unproven else VERDICTS[server.outcome],
        status=server.outcome.value.replace("_", " "),
        title=("not proven",) if server.unproven else (),
        problem=problem,
        objection=server.objection,
        diff="".join(map(render_config_map_diff, server.plan.changes)),
        remarks=server.proven,
        warnings=server.plan.warnings,
    )

"""The outline of a drift check, with its correction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.secret_corrections import find_corrected_secrets
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.outline.dns import describe_unread, outline_dns
from harbor_agent.views.outline.run import judge_result, outline_halt, time_result
from harbor_agent.views.outline.value import Item, Kind, Outline, Verdict, list_facts, time_steps
from harbor_agent.views.text.drift import list_differences, summarize_drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.dns import DriftedServer
    from harbor_agent.engine.drift.secrets import DriftedSecret
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.errors import ExitCode, Problem
    from harbor_agent.model.result import NodeResult

_VERDICTS = {
    DriftStatus.FAILED: Verdict.ERROR,
    DriftStatus.UNREACHABLE: Verdict.ERROR,
    DriftStatus.IN_SYNC: Verdict.FINE,
    DriftStatus.SKIPPED: Verdict.SKIPPED,
}


def outline_drift(
    report: DriftReport, exit_code: ExitCode, ended: Report | None, blocked_by: Problem | None
) -> Outline:
    """Return the outline of `drift`; `ended` is the run that corrected nodes, `blocked_by` why none did."""
    results = {result.node: result for result in (ended.results if ended else ())}
    return Outline(
        command="drift",
        summary=summarize_drift(report, ended),
        items=(
            *outline_halt(ended.halted if ended else None),
            *((_describe_block(blocked_by),) if blocked_by else ()),
            *(_outline_node(node, results.get(node.name)) for node in report.nodes),
            *_outline_dns(report, ended),
            *_outline_secrets(report, ended),
        ),
        exit_code=int(exit_code),
        facts=list_facts({"run": ended.run_id, "ended": ended.ended}) if ended else (),
        warnings=(*report.warnings, *(ended.warnings if ended else ())),
        counts_pending=True,
    )


def _describe_block(problem: Problem) -> Item:
    return Item(name="correction", kind=Kind.COMMAND, verdict=Verdict.FAILURE, status="not started", problem=problem)


def _outline_node(node: DriftedNode, result: NodeResult | None) -> Item:
    problem = node.problem
    item = Item(
        name=node.name,
        verdict=judge_drift(node.status),
        status=node.status.value.replace("_", " "),
        reason="" if problem and problem.message == node.reason else node.reason,
        problem=problem,
        diff="".join(f"{line}\n" for line in list_differences(node.drift)),
        remarks=_describe_quarantine(node),
        runtime=node.planned.runtime if node.planned.state else "",
        timings=time_steps({"compare": node.planned.seconds}),
    )
    if result is None:
        return item
    return replace(
        item,
        verdict=judge_result(result),
        status="corrected" if result.outcome is Outcome.CHANGED else result.outcome.value.replace("_", " "),
        problem=result.problem or problem,
        timings=(*item.timings, *(time_result(result) or time_steps({"correct and verify": result.seconds}))),
    )


def _describe_quarantine(node: DriftedNode) -> tuple[str, ...]:
    one = node.quarantine
    return (f"in quarantine since {one.since}: {one.reason}",) if one else ()


def _outline_dns(report: DriftReport, ended: Report | None) -> Iterator[Item]:
    if report.dns is None:
        return
    if report.dns.problem:
        yield describe_unread(report.dns.problem, Kind.DNS_SERVER, "cluster's DNS")
    corrected = {item.name: item for item in outline_dns(ended.dns if ended else None)}
    for one in report.dns.servers:
        yield corrected.get(one.server.name) or _outline_server(one)


def _outline_server(one: DriftedServer) -> Item:
    return Item(
        name=one.server.name,
        kind=Kind.DNS_SERVER,
        verdict=judge_drift(one.status),
        status=one.status.value.replace("_", " "),
        reason=one.reason,
        problem=one.problem,
    )


def _outline_secrets(report: DriftReport, ended: Report | None) -> Iterator[Item]:
    if report.secrets is None:
        return
    if report.secrets.problem:
        yield describe_unread(report.secrets.problem, Kind.SECRET, "pull secrets")
    corrected = find_corrected_secrets(ended.secrets if ended else None)
    for one in report.secrets.secrets:
        yield _outline_secret(one, is_corrected=(one.namespace, one.name) in corrected)


def _outline_secret(one: DriftedSecret, *, is_corrected: bool) -> Item:
    return Item(
        name=f"{one.namespace}/{one.name}",
        kind=Kind.SECRET,
        verdict=Verdict.FINE if is_corrected else judge_drift(one.status),
        status="corrected" if is_corrected else one.status.value.replace("_", " "),
        reason="" if one.problem and one.problem.message == one.reason else one.reason,
        problem=None if is_corrected else one.problem,
        remarks=(f"for {one.registry}",),
    )


def judge_drift(status: DriftStatus) -> Verdict:
    """Return what the status of a node, a DNS server or a pull secret means."""
    return _VERDICTS.get(status, Verdict.PENDING)

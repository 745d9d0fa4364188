"""Drift as text: a line a node, what differs below it, and a last line that sums up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from agent.cli.output import problem_lines
from agent.cli.plan_text import findings_text, run_summary
from agent.planning.diff import masked_text
from agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from agent.engine.drift import DriftedNode, DriftReport
    from agent.engine.runs import Report
    from agent.errors import Problem

_COLOURS = {
    DriftStatus.IN_SYNC: typer.colors.GREEN,
    DriftStatus.DRIFT: typer.colors.YELLOW,
    DriftStatus.PENDING: typer.colors.YELLOW,
    DriftStatus.UNMANAGED: typer.colors.YELLOW,
    DriftStatus.SKIPPED: typer.colors.BRIGHT_BLACK,
}
_WORDS = {status: status.value.replace("_", " ") for status in DriftStatus} | {DriftStatus.DRIFT: "drifted"}


def drift_text(report: DriftReport, ended: Report | None, stopped: Problem | None) -> str:
    """Return all nodes; with what a correction did, or why it did nothing, before the last line."""
    width = max((len(node.name) for node in report.nodes), default=0)
    blocks = ["\n".join(_node(node, width)) for node in report.nodes]
    findings = (*report.findings, *(ended.findings if ended else ()), *((stopped,) if stopped else ()))
    if findings:
        blocks.append(findings_text(findings))
    if ended:
        blocks.append(f"{run_summary(ended.results, ended.halted)} (run {ended.run_id})")
    return "\n".join([*blocks, _summary(report)])


def _node(node: DriftedNode, width: int) -> list[str]:
    word = typer.style(_WORDS[node.status].ljust(11), fg=_COLOURS.get(node.status, typer.colors.RED), bold=True)
    reason = "" if node.problem and node.problem.message == node.reason else node.reason
    lines = [f"{node.name.ljust(width)}  {word}  {reason}".rstrip()]
    if node.drift:
        lines += [f"  {file.path}: {_short(file.recorded)} -> {_short(file.found)}" for file in node.drift.files]
        lines += [f"  - {_masked(argument)}" for argument in node.drift.missing_arguments]
        lines += [f"  + {_masked(argument)}" for argument in node.drift.added_arguments]
    if node.quarantine and (node.problem is None or node.problem.code != "drift-quarantined"):
        lines.append(f"  in quarantine since {node.quarantine.since}: {node.quarantine.reason}")
    if node.problem:
        lines += problem_lines(node.problem)
    return lines


def _summary(report: DriftReport) -> str:
    found = Counter(node.status for node in report.nodes)
    counted = [f"{found[status]} {_WORDS[status]}{_where(report, status)}" for status in DriftStatus if found[status]]
    quarantined = sum(node.quarantine is not None for node in report.nodes)
    counted += [f"{quarantined} in quarantine"] if quarantined else []
    return "Drift: " + (", ".join(counted) or "no nodes")


def _where(report: DriftReport, status: DriftStatus) -> str:
    if status is not DriftStatus.DRIFT:
        return ""
    drifted = [node.drift for node in report.nodes if node.drift and node.status is status]
    return f" ({sum(d.in_files for d in drifted)} in files, {sum(d.at_runtime for d in drifted)} at runtime)"


def _short(digest: str) -> str:
    return digest[:12] if len(digest) > 60 else digest  # noqa: PLR2004 - a hash, not a word


def _masked(text: str) -> str:
    return masked_text(text.encode(errors="backslashreplace"))

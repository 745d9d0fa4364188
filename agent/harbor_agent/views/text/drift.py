"""Drift as text: a line a node, what differs below it, and a last line that sums up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_text
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.text.plan import FEW, run_summary, some_names, warnings_text
from harbor_agent.views.text.style import Color, render_problem, shorten_digest, style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.errors import Problem

_COLOURS = {
    DriftStatus.IN_SYNC: Color.GREEN,
    DriftStatus.DRIFT: Color.YELLOW,
    DriftStatus.PENDING: Color.YELLOW,
    DriftStatus.UNMANAGED: Color.YELLOW,
    DriftStatus.SKIPPED: Color.GRAY,
}
# What is wrong, what is to be done, what is fine.
_ORDER = (
    *(DriftStatus.FAILED, DriftStatus.UNREACHABLE, DriftStatus.DRIFT, DriftStatus.BUSY),
    *(DriftStatus.PENDING, DriftStatus.UNMANAGED, DriftStatus.SKIPPED, DriftStatus.IN_SYNC),
)
_WORDS = {status: status.value.replace("_", " ") for status in DriftStatus} | {DriftStatus.DRIFT: "drifted"}


def drift_text(report: DriftReport, ended: Report | None, blocked_by: Problem | None) -> str:
    """Return all nodes, what is wrong first; with what a correction did, or why it did nothing, before the last line.

    Nodes of which the same is to be said are said together where there are many.
    """
    width = max((len(node.name) for node in report.nodes), default=0)
    blocks = ["\n".join(lines) for group in _groups(report.nodes) for lines in _group(group, width)]
    warnings = (*report.warnings, *(ended.warnings if ended else ()), *((blocked_by,) if blocked_by else ()))
    if warnings:
        blocks.append(warnings_text(warnings))
    if ended:
        blocks.append(f"{run_summary(ended.results, ended.halted)} (run {ended.run_id})")
    return "\n".join([*blocks, _summary(report)])


def _groups(nodes: Sequence[DriftedNode]) -> list[list[DriftedNode]]:
    groups: dict[tuple[str, ...], list[DriftedNode]] = {}
    for node in sorted(nodes, key=lambda node: _ORDER.index(node.status)):
        # What the problem says may name the node; what kind it is and the way out do not.
        wrong = (node.problem.code, node.problem.hint) if node.problem else ()
        groups.setdefault((_title(node), *_details(node), *wrong), []).append(node)
    return list(groups.values())


def _group(group: Sequence[DriftedNode], width: int) -> Iterator[list[str]]:
    """Yield the lines of each node, or of all of them at once."""
    if len(group) <= FEW:
        for node in group:
            yield [f"{node.name.ljust(width)}  {_title(node)}", *_details(node), *_wrong([node])]
        return
    title = f"{f'{len(group)} nodes'.ljust(width)}  {_title(group[0])}"
    yield [title, f"  {some_names([node.name for node in group])}", *_details(group[0]), *_wrong(group)]


def _title(node: DriftedNode) -> str:
    word = style(_WORDS[node.status].ljust(11), _COLOURS.get(node.status, Color.RED), bold=True)
    reason = "" if node.problem and node.problem.message == node.reason else node.reason
    return f"{word}  {reason}".rstrip()


def _details(node: DriftedNode) -> list[str]:
    lines: list[str] = []
    if node.drift:
        lines += [
            f"  {file.path}: {shorten_digest(file.recorded)} -> {shorten_digest(file.found)}"
            for file in node.drift.files
        ]
        lines += [f"  - {_masked(argument)}" for argument in node.drift.missing_arguments]
        lines += [f"  + {_masked(argument)}" for argument in node.drift.added_arguments]
    if node.quarantine and (node.problem is None or node.problem.code != "drift-quarantined"):
        lines.append(f"  in quarantine since {node.quarantine.since}: {node.quarantine.reason}")
    return lines


def _wrong(group: Sequence[DriftedNode]) -> list[str]:
    """Return what is wrong with each, and the way out, which is the same for all, once."""
    problems = [node.problem for node in group if node.problem]
    messages = [render_problem(replace(problem, hint=""))[0] for problem in problems]
    return [*dict.fromkeys(messages), *(render_problem(problems[0])[1:] if problems else [])]


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


def _masked(text: str) -> str:
    return mask_text(text.encode(errors="backslashreplace"))

"""Workloads and their pull secrets as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.result import Outcome
from harbor_agent.planning.secrets.retention import Retention
from harbor_agent.views.text.style import render_problem, render_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.workloads.manifests import ManifestFile
    from harbor_agent.engine.workloads.scan import WorkloadsReport
    from harbor_agent.planning.secrets.manifests import AnnotatedWorkload


def manifests_text(files: Sequence[ManifestFile]) -> str:
    """Return a line per workload with its problems below, and a last line that counts the files."""
    lines = [line for file in files for line in _describe_file(file)]
    found = [file.outcome for file in files]
    counted = [f"{found.count(outcome)} {_WORDS[outcome]}" for outcome in _WORDS if outcome in found]
    return "\n".join([*lines, f"Files: {', '.join(counted)}"])


def workloads_text(report: WorkloadsReport) -> str:
    """Return a line per workload with its problem below, and a last line that counts them."""
    lines: list[str] = []
    for one in report.retentions:
        lines += [f"{one.workload}: {one.status.value}", *(render_problem(one.problem) if one.problem else ())]
    found = [one.status for one in report.retentions]
    counted = ", ".join(f"{found.count(status)} {status.value}" for status in Retention)
    return "\n".join([*lines, f"Workloads with pull secrets: {counted}"])


def unread_text(report: WorkloadsReport) -> str:
    """Return the reasons why some namespaces could not be scanned."""
    return "\n".join(line for problem in report.problems for line in render_problem(problem))


_WORDS = {
    Outcome.CHANGED: "changed",
    Outcome.PENDING: "with changes",
    Outcome.UNCHANGED: "unchanged",
    Outcome.REFUSED: "refused",
    Outcome.FAILED: "failed",
}


def _describe_file(file: ManifestFile) -> list[str]:
    lines: list[str] = []
    for workload in file.workloads:
        lines.append(f"{file.before.path} line {workload.line}: {workload.after}: {_describe_change(workload)}")
        lines += render_warnings(workload.warnings)
    if file.problem:
        lines += render_problem(file.problem)
    elif not file.workloads:
        lines.append(f"{file.before.path}: contains no workload with containers")
    return lines


def _describe_change(workload: AnnotatedWorkload) -> str:
    if not workload.is_changed:
        return "unchanged"
    return f"secret added to {', '.join(workload.changed_containers)}" if workload.changed_containers else "updated"

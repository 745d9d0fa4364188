"""Workloads and their pull secrets as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
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
    return "\n".join([*lines, translate(f"Files: {', '.join(counted)}")])


def workloads_text(report: WorkloadsReport) -> str:
    """Return a line per workload with its problem below, and a last line that counts them."""
    lines: list[str] = []
    for one in report.retentions:
        lines += [
            f"{one.workload}: {translate(one.status.value)}",
            *(render_problem(one.problem) if one.problem else ()),
        ]
    found = [one.status for one in report.retentions]
    counted = ", ".join(f"{found.count(status)} {status.value}" for status in Retention)
    return "\n".join([*lines, translate(f"Workloads with pull secrets: {counted}")])


def unread_text(report: WorkloadsReport) -> str:
    """Return the reasons why some namespaces, or kinds of other projects, could not be scanned."""
    lines = [line for problem in report.problems for line in render_problem(problem)]
    return "\n".join([*lines, *render_warnings(report.remarks)])


_USUAL_PATHS = frozenset({"", "template", "spec.template", "spec.jobTemplate.spec.template"})
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
        where = translate(f"{file.before.path} line {workload.line}: {_name(workload)}")
        lines.append(f"{where}: {translate(_describe_change(workload))}")
        lines += render_warnings(workload.warnings)
    if file.problem:
        lines += render_problem(file.problem)
    elif file.warnings:
        lines += render_warnings(file.warnings)
    elif not file.workloads:
        lines.append(translate(f"{file.before.path}: contains no workload with containers"))
    return lines


def _name(workload: AnnotatedWorkload) -> str:
    """Return the workload's kind and name, and its template's path if it is one of several or not at its usual path."""
    is_usual = workload.path in _USUAL_PATHS
    return str(workload.after) if is_usual else f"{workload.after} ({workload.path})"


def _describe_change(workload: AnnotatedWorkload) -> str:
    if not workload.is_changed:
        return "unchanged"
    if workload.after.is_custom:
        return "secret added"
    return f"secret added to {', '.join(workload.changed_containers)}" if workload.changed_containers else "updated"

"""Why images are not pulled, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.report import DiagnosisStatus, Source
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import Color, render_problem, render_warnings, style

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, RegistryView

_COLORS = {
    DiagnosisStatus.FAILED: Color.RED,
    DiagnosisStatus.UNCLEAR: Color.YELLOW,
    DiagnosisStatus.WAITING: Color.YELLOW,
    DiagnosisStatus.FINE: Color.GREEN,
    DiagnosisStatus.SKIPPED: None,
}
_WORDS = {
    DiagnosisStatus.FAILED: "not pulled",
    DiagnosisStatus.UNCLEAR: "not recognised",
    DiagnosisStatus.WAITING: "not pulled yet",
    DiagnosisStatus.FINE: "pulled",
    DiagnosisStatus.SKIPPED: "skipped",
}


def diagnosis_text(report: DiagnosisReport) -> str:
    """Return what the registry said, a block per pull (where, cause, next step, words that show it), and a count."""
    blocks = _describe_registry(report.registry) if report.registry else []
    blocks += [line for one in report.diagnoses for line in _describe(one, report.subject)]
    return "\n".join([*blocks, *render_warnings(report.warnings), translate(summarize_diagnosis(report))])


def summarize_diagnosis(report: DiagnosisReport) -> str:
    """Return how many pulls have which status."""
    found = [one.status for one in report.diagnoses]
    counted = ", ".join(f"{found.count(status)} {_WORDS[status]}" for status in DiagnosisStatus if status in found)
    return f"{'Nodes' if report.source is Source.IMAGE else 'Images'}: {counted or '0'}"


def _describe_registry(seen: RegistryView) -> list[str]:
    return [
        translate(f"registry {seen.registry}, without a login:"),
        *(f"  - {translate(fact)}" for fact in seen.facts),
    ]


def _describe(one: Diagnosis, subject: str) -> list[str]:
    word = style(translate(_WORDS[one.status]), _COLORS[one.status], bold=True)
    container = translate(f"container {one.container}") if one.container else ""
    node = translate(f"node {one.node}") if one.node else ""
    where = ", ".join(name for name in (subject if one.container else "", container, node) if name)
    name = one.image or one.registry
    lines = [" ".join(part for part in (f"{where}:" if where else "", name, word) if part)]
    if one.problem:
        lines += render_problem(one.problem)
    lines += [f"  - {translate(fact)}" for fact in one.facts]
    return [*lines, *([f"  {translate('seen: ')}{one.said}"] if one.said else [])]

"""The outline of a diagnosis: the nodes or containers that wait for an image, or the text of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.report import DiagnosisStatus, Source
from harbor_agent.views.outline.value import Item, Kind, Outline, Verdict, list_facts
from harbor_agent.views.text.diagnosis import summarize_diagnosis

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport

_KINDS = {Source.MESSAGE: Kind.COMMAND, Source.POD: Kind.CONTAINER, Source.IMAGE: Kind.NODE}
_VERDICTS = {
    DiagnosisStatus.FAILED: Verdict.FAILURE,
    DiagnosisStatus.UNCLEAR: Verdict.ERROR,
    DiagnosisStatus.WAITING: Verdict.PENDING,
    DiagnosisStatus.FINE: Verdict.FINE,
    DiagnosisStatus.SKIPPED: Verdict.SKIPPED,
}


def outline_diagnosis(report: DiagnosisReport) -> Outline:
    """Return the outline of `diagnose`."""
    return Outline(
        command="diagnose",
        summary=summarize_diagnosis(report),
        items=tuple(_outline(one, _KINDS[report.source]) for one in report.diagnoses),
        exit_code=int(report.exit_code),
        facts=list_facts({report.source.value: report.subject, "registry": _describe_registry(report)}),
        warnings=report.warnings,
    )


def _describe_registry(report: DiagnosisReport) -> str:
    return "; ".join(report.registry.facts) if report.registry else ""


def _outline(one: Diagnosis, kind: Kind) -> Item:
    return Item(
        name=one.container or one.node or "message",
        verdict=_VERDICTS[one.status],
        status=one.status.value,
        kind=kind,
        problem=one.problem,
        remarks=(
            *([f"image {one.image}"] if one.image else []),
            *([f"on node {one.node}"] if one.container and one.node else []),
            *one.facts,
            *([f"seen: {one.said}"] if one.said else []),
        ),
    )

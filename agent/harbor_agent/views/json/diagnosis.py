"""Why images are not pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.report import DiagnosisStatus
from harbor_agent.views.json.common import begin_document, describe_problem, explain

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, RegistryView
    from harbor_agent.views.json.common import Json

DIAGNOSIS_SCHEMA = "harbor-agent/diagnosis/2"


def build_diagnosis_document(report: DiagnosisReport) -> Json:
    """Return the object that `diagnose -o json` prints."""
    statuses = [one.status for one in report.diagnoses]
    return {
        **begin_document(DIAGNOSIS_SCHEMA),
        "exit_code": int(report.exit_code),
        "source": report.source.value,
        "subject": report.subject or None,
        "summary": {status.value: statuses.count(status) for status in DiagnosisStatus},
        "registry": _describe_registry(report.registry) if report.registry else None,
        "diagnoses": [_describe(one) for one in report.diagnoses],
        "warnings": [describe_problem(problem) for problem in report.warnings],
    }


def _describe_registry(seen: RegistryView) -> Json:
    return {
        "registry": seen.registry,
        "scheme": seen.scheme or None,
        "image": seen.image,
        "facts": list(seen.facts),
    }


def _describe(one: Diagnosis) -> Json:
    return {
        "image": one.image or None,
        "registry": one.registry or None,
        "node": one.node or None,
        "container": one.container or None,
        "status": one.status.value,
        **explain(one.problem),
        "facts": list(one.facts),
        "said": one.said or None,
    }

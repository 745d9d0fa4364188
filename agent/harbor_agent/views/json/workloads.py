"""What `workloads … -o json` prints, as plain values; docs/schemas/ holds the JSON Schema of each document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.workloads.manifests import manifests_exit_code
from harbor_agent.model.result import Outcome
from harbor_agent.planning.secrets.workloads import Retention
from harbor_agent.views.json.common import counts, optional_problem, problem_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.workloads.manifests import ManifestFile
    from harbor_agent.engine.workloads.scan import WorkloadsReport
    from harbor_agent.planning.secrets.workloads import AnnotatedWorkload, SecretRetention
    from harbor_agent.views.json.common import Json

MANIFESTS_SCHEMA = "harbor-agent/manifests/1"
WORKLOADS_SCHEMA = "harbor-agent/workloads/1"
_STATUSES = (Outcome.UNCHANGED, Outcome.CHANGE, Outcome.CHANGED, Outcome.REFUSED, Outcome.FAILED)


def manifests_document(files: Sequence[ManifestFile]) -> Json:
    """Return the object that `workloads annotate -o json` prints."""
    return {
        "schema": MANIFESTS_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": int(manifests_exit_code(files)),
        "summary": counts((file.outcome for file in files), [status.value for status in _STATUSES]),
        "files": [
            {
                "path": file.path,
                "status": file.outcome.value,
                "diff": file.diff,
                "workloads": [_annotated(one) for one in file.workloads],
                **optional_problem(file.problem),
            }
            for file in files
        ],
    }


def workloads_document(report: WorkloadsReport) -> Json:
    """Return the object that `workloads scan -o json` prints."""
    statuses = [one.status for one in report.standings]
    return {
        "schema": WORKLOADS_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": int(report.exit_code),
        "summary": {status.value: statuses.count(status) for status in Retention},
        "workloads": [_standing(one) for one in report.standings],
        "warnings": [problem_document(problem) for problem in report.problems],
    }


def _annotated(one: AnnotatedWorkload) -> Json:
    return {
        "line": one.line,
        "kind": one.after.kind,
        "namespace": one.after.namespace,
        "name": one.after.name,
        "status": (Outcome.CHANGE if one.changed else Outcome.UNCHANGED).value,
        "pull_secrets": list(one.after.template.pull_secrets),
        "containers": list(one.given),
        "warnings": [problem_document(problem) for problem in one.warnings],
    }


def _standing(one: SecretRetention) -> Json:
    return {
        "kind": one.workload.kind,
        "namespace": one.workload.namespace,
        "name": one.workload.name,
        "status": one.status.value,
        "pull_secrets": list(one.workload.template.pull_secrets),
        "missing": list(one.missing),
        "dropped": list(one.dropped),
        **optional_problem(one.problem),
    }

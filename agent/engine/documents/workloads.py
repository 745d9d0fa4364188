"""What `workloads … -o json` prints, as plain values; docs/schemas/ holds the JSON Schema of each document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import __version__
from agent.engine.documents.common import counts, optional_problem, problem_document
from agent.engine.manifests import manifests_exit_code
from agent.model.result import Outcome
from agent.planning.workloads import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine.documents.common import Json
    from agent.engine.manifests import ManifestFile
    from agent.engine.workloads import WorkloadsReport
    from agent.planning.workloads import AnnotatedWorkload, Standing

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
        "summary": {status.value: statuses.count(status) for status in Kept},
        "workloads": [_standing(one) for one in report.standings],
        "findings": [problem_document(problem) for problem in report.problems],
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
        "findings": [problem_document(problem) for problem in one.findings],
    }


def _standing(one: Standing) -> Json:
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

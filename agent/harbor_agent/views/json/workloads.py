"""Workloads and their pull secrets, in manifests and in the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.workloads.manifests import find_exit_code
from harbor_agent.model.result import Outcome
from harbor_agent.planning.secrets.retention import Retention
from harbor_agent.views.json.common import begin_document, count_outcomes, describe_problem, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.workloads.manifests import ManifestFile
    from harbor_agent.engine.workloads.scan import WorkloadsReport
    from harbor_agent.planning.secrets.manifests import AnnotatedWorkload
    from harbor_agent.planning.secrets.retention import SecretRetention
    from harbor_agent.views.json.common import Json

MANIFESTS_SCHEMA = "harbor-agent/manifests/2"
WORKLOADS_SCHEMA = "harbor-agent/workloads/2"
_STATUSES = (Outcome.UNCHANGED, Outcome.PENDING, Outcome.CHANGED, Outcome.REFUSED, Outcome.FAILED)


def build_manifests_document(files: Sequence[ManifestFile]) -> Json:
    """Return the object that `workloads annotate -o json` prints."""
    return {
        **begin_document(MANIFESTS_SCHEMA),
        "exit_code": int(find_exit_code(files)),
        "summary": count_outcomes((file.outcome for file in files), [status.value for status in _STATUSES]),
        "files": [
            {
                "path": file.path,
                "status": file.outcome.value,
                "diff": file.diff,
                "workloads": [_describe_annotated(one) for one in file.workloads],
                "warnings": [describe_problem(problem) for problem in file.warnings],
                **explain(file.problem),
            }
            for file in files
        ],
    }


def build_workloads_document(report: WorkloadsReport) -> Json:
    """Return the object that `workloads scan -o json` prints."""
    statuses = [one.status for one in report.retentions]
    return {
        **begin_document(WORKLOADS_SCHEMA),
        "exit_code": int(report.exit_code),
        "summary": {status.value: statuses.count(status) for status in Retention},
        "workloads": [_describe_retention(one) for one in report.retentions],
        "warnings": [describe_problem(problem) for problem in (*report.problems, *report.remarks)],
    }


def _describe_annotated(one: AnnotatedWorkload) -> Json:
    return {
        "line": one.line,
        "group": one.after.group,
        "kind": one.after.kind,
        "namespace": one.after.namespace,
        "name": one.after.name,
        "template": one.path,
        "status": (Outcome.PENDING if one.is_changed else Outcome.UNCHANGED).value,
        "pull_secrets": list(one.after.template.pull_secrets),
        "containers": list(one.changed_containers),
        "warnings": [describe_problem(problem) for problem in one.warnings],
    }


def _describe_retention(one: SecretRetention) -> Json:
    return {
        "group": one.workload.group,
        "kind": one.workload.kind,
        "namespace": one.workload.namespace,
        "name": one.workload.name,
        "status": one.status.value,
        "pull_secrets": list(one.workload.template.pull_secrets),
        "missing": list(one.missing),
        "dropped": list(one.dropped),
        **explain(one.problem),
    }

"""Workloads of a cluster that would lose pull secrets when KubeSphere's console edits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode
from harbor_agent.planning.secrets.retention import Retention, check_retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.errors import Problem
    from harbor_agent.planning.secrets.retention import SecretRetention


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadsReport:
    """The workloads that have pull secrets, and the namespaces that could not be read.

    `remarks` are on kinds of other projects that could not be read; the console does not edit those.
    """

    retentions: tuple[SecretRetention, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """FAILED if a namespace could not be read, PENDING if an annotation is incomplete."""
        if self.problems:
            return ExitCode.FAILED
        pending = any(one.status is Retention.INCOMPLETE for one in self.retentions)
        return ExitCode.PENDING if pending else ExitCode.DONE


def scan_workloads(resolved: Resolved, namespaces: Sequence[str]) -> WorkloadsReport:
    """Check the live workloads of the namespaces named, or of all.

    Raises UsageError for an invalid kubeconfig, AgentError if the cluster does not answer.
    """
    from harbor_agent.kubernetes.workloads import list_workloads  # noqa: PLC0415 - lightkube is slow to import

    found = list_workloads(resolved.general.kubeconfig, resolved.request.flags.context, namespaces)
    retentions = (check_retention(workload) for workload in found.workloads)
    return WorkloadsReport(
        retentions=tuple(one for one in retentions if one), problems=found.problems, remarks=found.remarks
    )

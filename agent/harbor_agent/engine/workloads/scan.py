"""Which workloads of a cluster would lose their pull secrets to an edit in KubeSphere's console."""

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
    """The workloads that have pull secrets, and which namespaces could not be looked at."""

    standings: tuple[SecretRetention, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """FAILED where something could not be looked at, PENDING where an annotation is to be completed."""
        if self.problems:
            return ExitCode.FAILED
        pending = any(one.status is Retention.INCOMPLETE for one in self.standings)
        return ExitCode.PENDING if pending else ExitCode.DONE


def scan_workloads(resolved: Resolved, namespaces: Sequence[str]) -> WorkloadsReport:
    """Look at the live workloads of the namespaces named, or of all.

    Raises UsageError for a wrong kubeconfig, AgentError where the cluster does not answer.
    """
    from harbor_agent.kubernetes.workloads import list_workloads  # noqa: PLC0415 - lightkube is slow to import

    found = list_workloads(resolved.general.kubeconfig, resolved.request.flags.context, namespaces)
    standings = (check_retention(workload) for workload in found.workloads)
    return WorkloadsReport(standings=tuple(one for one in standings if one), problems=found.problems)

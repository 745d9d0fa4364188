"""The exit code of a plan or a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.model.result import NodeResult

# The most severe first (docs/reference).
_ORDER = (
    ExitCode.NEEDS_INTERVENTION,
    ExitCode.FAILED,
    ExitCode.STOPPED,
    ExitCode.REFUSED,
    ExitCode.UNREACHABLE,
    ExitCode.PENDING,
)
_BY_OUTCOME = {
    Outcome.ROLLBACK_FAILED: ExitCode.NEEDS_INTERVENTION,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.ROLLED_BACK: ExitCode.FAILED,
    Outcome.UNKNOWN: ExitCode.FAILED,
    Outcome.REFUSED: ExitCode.REFUSED,
    Outcome.UNREACHABLE: ExitCode.UNREACHABLE,
    Outcome.PENDING: ExitCode.PENDING,
}
_BY_DRIFT = {
    DriftStatus.DRIFT: ExitCode.PENDING,
    DriftStatus.PENDING: ExitCode.PENDING,
    DriftStatus.UNMANAGED: ExitCode.PENDING,
    DriftStatus.BUSY: ExitCode.REFUSED,
    DriftStatus.UNREACHABLE: ExitCode.UNREACHABLE,
    DriftStatus.FAILED: ExitCode.FAILED,
}


def compute_drift_exit_code(statuses: Iterable[DriftStatus]) -> ExitCode:
    """Return the exit code of a drift check: 3 if a node needs a change."""
    return find_most_severe(_BY_DRIFT.get(status, ExitCode.DONE) for status in statuses)


def find_most_severe(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that is used if there are several, DONE without any."""
    found = set(codes)
    return next((code for code in _ORDER if code in found), ExitCode.DONE)


def compute_plan_exit_code(
    nodes: Sequence[PlannedNode], secrets: SecretsReport | None, *, pending: bool, dns: DnsReport | None = None
) -> ExitCode:
    """Return the exit code of a plan; pending changes count only with `pending` (`--exit-code`)."""
    codes = [_BY_OUTCOME.get(node.outcome, ExitCode.DONE) for node in nodes]
    if dns is not None:
        codes.append(dns.compute_exit_code(pending=True))
    if secrets is not None:
        codes.append({"failed": ExitCode.FAILED, "change": ExitCode.PENDING}.get(secrets.status, ExitCode.DONE))
    return find_most_severe(code for code in codes if pending or code is not ExitCode.PENDING)


def compute_run_exit_code(results: Sequence[NodeResult], secrets: SecretsReport | None, *, halted: bool) -> ExitCode:
    """Return the exit code of a run."""
    codes = [_BY_OUTCOME.get(result.outcome, ExitCode.DONE) for result in results]
    codes += [ExitCode.FAILED for result in results if result.verified is False]
    if halted:
        codes.append(ExitCode.STOPPED)
    if secrets is not None and secrets.status == "failed":
        codes.append(ExitCode.FAILED)
    return find_most_severe(codes)

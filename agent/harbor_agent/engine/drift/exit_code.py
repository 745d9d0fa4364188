"""The exit code of a correction: that of its run, and of everything that it left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.drift.secret_corrections import find_corrected_secrets
from harbor_agent.engine.exit_codes import compute_drift_exit_code, find_most_severe
from harbor_agent.errors import ExitCode
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from harbor_agent.engine.drift.correct import Corrections
    from harbor_agent.engine.drift.detect import DriftedNode
    from harbor_agent.engine.drift.dns import DnsDrift
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.reports.report import Report

_REFUSED = frozenset(
    {
        "drift-quarantined",
        "drift-secret-not-ours",
        "containers-would-stop",
        "dns-owner-rewrites",
        "dns-no-reload",
    }
)


def compute_correction_exit_code(corrections: Corrections, ended: Report | None) -> ExitCode:
    """Return the exit code of a correction: that of the run and of the nodes that it did not correct."""
    chosen = {node.name for node in corrections.chosen} if ended else set()
    rest = [node for node in corrections.report.nodes if node.name not in chosen]
    codes = [compute_drift_exit_code(node.status for node in rest)]
    codes += [ExitCode.REFUSED for node in rest if node.problem and _is_refusal(node)]
    codes += [ended.exit_code] if ended else []
    if corrections.report.dns:
        codes += _list_dns_codes(corrections.report.dns, is_corrected=corrections.dns is not None)
    if corrections.report.secrets:
        codes += _list_secret_codes(corrections.report.secrets, ended)
    codes += [ExitCode.STOPPED] if corrections.blocked_by else []
    return ended.exit_code if ended and ended.exit_code >= ExitCode.BUG else find_most_severe(codes)


def _list_dns_codes(drift: DnsDrift, *, is_corrected: bool) -> list[ExitCode]:
    """Return the exit codes of the DNS servers that the run left alone."""
    if drift.problem:
        return [ExitCode.FAILED]
    left = [one for one in drift.servers if one.problem or one.status is not DriftStatus.DRIFT or not is_corrected]
    refused = [ExitCode.REFUSED for one in left if one.problem and one.problem.code in _REFUSED]
    return [compute_drift_exit_code(one.status for one in left), *refused]


def _list_secret_codes(drift: SecretsDrift, ended: Report | None) -> list[ExitCode]:
    """Return the exit codes of the pull secrets that the run left alone."""
    if drift.problem:
        return [ExitCode.FAILED]
    corrected = find_corrected_secrets(ended.secrets if ended else None)
    left = [one for one in drift.secrets if (one.namespace, one.name) not in corrected]
    refused = [ExitCode.REFUSED for one in left if one.problem and one.problem.code in _REFUSED]
    stopped = [ExitCode.STOPPED for one in left if one.problem and one.problem.code == "drift-secrets-suspect"]
    return [compute_drift_exit_code(one.status for one in left), *refused, *stopped]


def _is_refusal(node: DriftedNode) -> bool:
    return node.planned.outcome is Outcome.REFUSED or bool(node.problem and node.problem.code in _REFUSED)

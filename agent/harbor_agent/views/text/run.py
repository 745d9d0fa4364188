"""The summary of a run as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.engine.rollout.run import Report


def run_summary(report: Report) -> str:
    """Return the last line of a run: outcomes, pulls, why it halted, and its ID."""
    found = Counter(result.outcome for result in report.results)
    counted = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in Outcome if found[outcome]]
    verified = sum(1 for result in report.results if result.verified)
    counted += [f"{verified} verified by a pull"] if verified else []
    outcomes = ", ".join(counted) or "no nodes"
    text = f"Halted: {outcomes}; reason: {report.halted}" if report.halted else f"Done: {outcomes}"
    return f"{text} (run {report.run_id})"

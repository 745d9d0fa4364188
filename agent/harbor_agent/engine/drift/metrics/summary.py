"""What the metrics of one run are made of: its result, and what the file of earlier runs knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.reports.report import Report

# The exit codes of a run that completed its check, regardless of the result.
WENT_WELL = frozenset({ExitCode.DONE, ExitCode.PENDING, ExitCode.UNREACHABLE, ExitCode.REFUSED})
# One family: name, help text, and its samples by their labels. The help must be the same in all files of a collector.
Samples = list[tuple[dict[str, str], float]]
Family = tuple[str, str, Samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRunSummary:
    """One run: its exit code, its end (`ended_at`, seconds since 1970) and its duration in seconds.

    `report` is missing if no node was probed, `correction` if nothing was corrected.
    """

    exit_code: int
    ended_at: float
    seconds: float
    report: DriftReport | None = None
    correction: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier runs wrote: when one last completed its check, and since when nodes drift, by their label.

    Both are seconds since 1970.
    """

    last_success: int | None = None
    drifted_since: Mapping[str, int] = field(default_factory=dict)


def build_sample(value: float) -> Samples:
    """Return the one sample of a family without labels."""
    return [({}, value)]


def escape_bytes(value: str) -> str:
    """Return a label with bytes that are not UTF-8 escaped: the format has none."""
    return value.encode(errors="backslashreplace").decode()

"""Writing `--metrics FILE` for a drift run, also if the run ends with an error."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from harbor_agent.cli.console import print_status
from harbor_agent.cli.ending.exit_code import find_exit_code
from harbor_agent.views.text.style import render_warnings

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.errors import ExitCode, Problem


@dataclass(slots=True)
class Measurement:
    """A measured drift run: `record` when the nodes have been probed, `finish` before the report is printed.

    If an exception leaves the block first, the exit code that follows from it is written.
    """

    file: Path | None
    _began: float = field(default_factory=time.monotonic, init=False)
    _report: DriftReport | None = field(default=None, init=False)
    _is_written: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        """Start measuring the time."""
        return self

    def record(self, report: DriftReport) -> None:
        """Keep the state of the nodes."""
        self._report = report

    def finish(self, report: DriftReport, code: ExitCode, ended: Report | None) -> tuple[Problem, ...]:
        """Write the metrics; returns a warning if that fails."""
        self._report = report
        problem = self._write(code, ended)
        return (problem,) if problem else ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the metrics if an exception ends the run before they were written."""
        if error is None or self._is_written:
            return
        if problem := self._write(find_exit_code(error), None):
            print_status("\n".join(render_warnings([problem])))

    def _write(self, code: ExitCode, ended: Report | None) -> Problem | None:
        from harbor_agent.engine.drift.metrics.file import write_metrics
        from harbor_agent.engine.drift.metrics.summary import DriftRunSummary

        self._is_written = True
        if self.file is None:
            return None
        seconds = time.monotonic() - self._began
        summary = DriftRunSummary(
            exit_code=int(code), ended_at=time.time(), seconds=seconds, report=self._report, correction=ended
        )
        return write_metrics(self.file, summary)

"""What `--metrics FILE` does around a run for drift: the file tells how the run ended, however it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import typer

from harbor_agent.cli.console import tell
from harbor_agent.errors import AgentError, ExitCode
from harbor_agent.views.text.style import render_problem

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.errors import Problem


@dataclass(slots=True)
class Measurement:
    """The run while the `with` block lasts; `saw` as soon as the nodes were looked at, `ended` before it is printed.

    Where the block is left by an exception first, the exit code that follows from that is what is written.
    """

    file: Path | None
    _began: float = field(default_factory=time.monotonic, init=False)
    _report: DriftReport | None = field(default=None, init=False)
    _is_written: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        """Begin; the time from here on is measured."""
        return self

    def saw(self, report: DriftReport) -> None:
        """Remember what was seen of the nodes."""
        self._report = report

    def ended(self, report: DriftReport, code: ExitCode, ended: Report | None) -> tuple[Problem, ...]:
        """Write how the run ended; returns what is to be told of that."""
        self._report = report
        problem = self._write(code, ended)
        return (problem,) if problem else ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write how the run ended where an exception ends it before anything was written."""
        if error is None or self._is_written:
            return
        if problem := self._write(_exit_code(error), None):
            tell("\n".join(render_problem(problem)))

    def _write(self, code: ExitCode, ended: Report | None) -> Problem | None:
        from harbor_agent.engine.drift.metrics import DriftRunSummary, write_metrics

        self._is_written = True
        if self.file is None:
            return None
        seconds = time.monotonic() - self._began
        measured = DriftRunSummary(
            exit_code=int(code), moment=time.time(), seconds=seconds, report=self._report, ended=ended
        )
        return write_metrics(self.file, measured)


def _exit_code(error: BaseException) -> ExitCode:
    """Return the exit code that the guard around the command will end with."""
    match error:
        case AgentError():
            return error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return ExitCode.INTERRUPTED
        case SystemExit():
            return ExitCode.TERMINATED
        case _:
            return ExitCode.BUG

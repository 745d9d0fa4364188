"""What a run for drift found, as a file for the textfile collector of Prometheus' node exporter.

The form is Prometheus' text exposition format 0.0.4. Every run writes the whole file anew, so that what is no longer so
is no longer told; a run that saw no node tells of none, rather than of zero.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.errors import ExitCode, Problem, UsageError
from harbor_agent.local.files import replace_file
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.rollout.run import Report

# The exit codes of a run that did what it was there for, whatever it found.
WENT_WELL = frozenset({ExitCode.DONE, ExitCode.PENDING, ExitCode.UNREACHABLE, ExitCode.REFUSED})
_SUFFIX = ".prom"
_LAST_SUCCESS = "harbor_agent_drift_last_success_timestamp_seconds"
_EARLIER_SUCCESS = re.compile(rf"^{_LAST_SUCCESS}{{[^\n]*}} (\d+)$", re.MULTILINE)
# What is carried over stands above everything whose length depends on the fleet.
_HEAD = 65536
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRunSummary:
    """One run: its exit code, when it ended (seconds since 1970) and how long it took (seconds).

    `report` is None where no node was looked at, `ended` where none was corrected.
    """

    exit_code: int
    moment: float
    seconds: float
    report: DriftReport | None = None
    ended: Report | None = None


def metrics_file(text: str) -> Path:
    """Return the path of a file that the collector reads. Raises UsageError where it would pass it over."""
    file = Path(text).expanduser().absolute()
    if file.suffix != _SUFFIX:
        message = f"the textfile collector reads files that end in {_SUFFIX} only, not {text}"
        raise UsageError.of("usage", message, f"name it such as harbor-agent{_SUFFIX}")
    return file


def write_metrics(file: Path, measured: DriftRunSummary) -> Problem | None:
    """Replace the file by what was measured, readable for all; return why that was not possible, None where it was.

    What was there stays in place until all of the new text is on disk, and where it cannot be written.
    """
    try:
        text = metrics_text(file.stem, measured, last_success=_last_success(file, measured))
        replace_file(str(file), text.encode(), mode=0o644)
    except OSError as error:
        return Problem(
            code="metrics-unwritable",
            message=f"the metrics were not written to {file}: {error.strerror}",
            hint="make its folder there and writable for this user; what was measured before stays until then",
        )
    return None


def metrics_text(run_plan: str, measured: DriftRunSummary, *, last_success: int | None) -> str:
    """Return the whole file. `run_plan` tells the series apart from those of other files of the same collector."""
    lines: list[str] = []
    for name, what, samples in _families(measured, last_success):
        lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels({'fleet': run_plan, **labels})} {value}" for labels, value in samples]
    return "\n".join([*lines, ""])


Samples = list[tuple[dict[str, str], str]]


def _families(measured: DriftRunSummary, last_success: int | None) -> Iterator[tuple[str, str, Samples]]:
    """Yield name, help and samples of each family. A help text must be the same in all files of a collector."""
    yield "harbor_agent_build_info", "The version that wrote this file.", [({"version": __version__}, "1")]
    yield (
        "harbor_agent_drift_last_run_timestamp_seconds",
        "When the last run ended, however it ended.",
        _one(int(measured.moment)),
    )
    yield (
        _LAST_SUCCESS,
        "When a run last ended with 0, 3, 4 or 5: it did what it was there for, whatever it found.",
        _one(last_success) if last_success is not None else [],
    )
    yield "harbor_agent_drift_duration_seconds", "How long the last run took.", _one(f"{measured.seconds:.3f}")
    yield "harbor_agent_drift_exit_code", "The exit code of the last run.", _one(measured.exit_code)
    outcomes = Counter(result.outcome for result in (measured.ended.results if measured.ended else ()))
    yield (
        "harbor_agent_drift_corrections",
        "Nodes that the last run set out to correct, by how that ended.",
        [({"outcome": outcome.value}, str(outcomes[outcome])) for outcome in _OUTCOMES],
    )
    if measured.report is not None:
        yield from _of_nodes(measured.report, measured.ended)


def _of_nodes(report: DriftReport, ended: Report | None) -> Iterator[tuple[str, str, Samples]]:
    done = {result.node for result in (ended.results if ended else ()) if result.outcome is Outcome.CHANGED}
    # As the run left them: what it corrected is in sync.
    left = {node.name: DriftStatus.IN_SYNC if node.name in done else node.status for node in report.nodes}
    quarantined = [node.name for node in report.nodes if node.quarantine]
    counts = Counter(left.values())
    yield (
        "harbor_agent_drift_nodes",
        "Nodes by how the last run left them.",
        [({"status": status.value}, str(counts[status])) for status in DriftStatus],
    )
    yield (
        "harbor_agent_drift_node_status",
        "Always 1: the status in which the last run left the node.",
        [({"node": name, "status": status.value}, "1") for name, status in left.items()],
    )
    yield (
        "harbor_agent_drift_quarantined_nodes",
        "Nodes that are only reported, because somebody else undoes what is corrected.",
        _one(len(quarantined)),
    )
    yield (
        "harbor_agent_drift_node_quarantined",
        "Always 1: the node is in quarantine.",
        [({"node": name}, "1") for name in quarantined],
    )


def _one(value: float | str) -> Samples:
    return [({}, str(value))]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.encode(errors="backslashreplace").decode().translate(_ESCAPES)


def _last_success(file: Path, measured: DriftRunSummary) -> int | None:
    """Return when a run last went well: now, or what an earlier run wrote down.

    A time in the future is none: where the clock had jumped ahead, the silence after it would not be heard.
    """
    now = int(measured.moment)
    if measured.exit_code in WENT_WELL:
        return now
    earlier = [int(number) for number in _EARLIER_SUCCESS.findall(_read(file))]
    return min([*earlier, now]) if earlier else None


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD).decode(errors="replace")
    except OSError:
        return ""

"""The metrics of a drift run, as a file for the textfile collector of the Prometheus node exporter.

The format is the Prometheus text exposition format 0.0.4. Every run writes the whole file again, so series that no
longer apply disappear; a run without nodes writes no series of nodes, rather than zeros.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.drift.secret_corrections import list_states_after
from harbor_agent.errors import ExitCode, Problem, UsageError
from harbor_agent.local.files import describe_error, replace_file
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.reports.report import Report

# The exit codes of a run that completed its check, regardless of the result.
WENT_WELL = frozenset({ExitCode.DONE, ExitCode.PENDING, ExitCode.UNREACHABLE, ExitCode.REFUSED})
_SUFFIX = ".prom"
_LAST_SUCCESS = "harbor_agent_drift_last_success_timestamp_seconds"
# The series that is carried over comes before everything whose length depends on the number of nodes.
_HEAD = 65536
_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRunSummary:
    """One run: its exit code, its end (`ended_at`, seconds since 1970) and its duration in seconds.

    `report` is missing if no node was probed, `correction` if no node was corrected.
    """

    exit_code: int
    ended_at: float
    seconds: float
    report: DriftReport | None = None
    correction: Report | None = None


def parse_metrics_path(text: str) -> Path:
    """Return the absolute path of a metrics file. Raises UsageError for a name that the collector does not read."""
    file = Path(text).expanduser().absolute()
    if file.suffix != _SUFFIX:
        message = f"--metrics: the textfile collector reads only files that end in {_SUFFIX}, not '{text}'"
        raise UsageError.of("usage", message, f"use a name such as harbor-agent{_SUFFIX}")
    return file


def write_metrics(file: Path, summary: DriftRunSummary) -> Problem | None:
    """Write the metrics to a file that all users can read; return the problem if that fails.

    The previous file stays until all of the new text is on disk, and also if it cannot be written.
    """
    try:
        text = render_metrics(file.stem, summary, last_success=_find_last_success(file, summary))
        replace_file(str(file), text.encode(), mode=0o644)
    except OSError as error:
        return Problem(
            code="metrics-unwritable",
            message=f"cannot write the metrics to {file}: {describe_error(error)}",
            hint="create the directory and make it writable for this user; until then the previous file stays",
        )
    return None


def render_metrics(fleet: str, summary: DriftRunSummary, *, last_success: int | None) -> str:
    """Return the whole file. `fleet` distinguishes its series from those of other files of the same collector."""
    # loads an HTTP server: 0.05 s of CPU, which a run without --metrics does not spend
    from prometheus_client import CollectorRegistry, Metric, generate_latest  # noqa: PLC0415

    class Families:
        def collect(self) -> Iterator[Metric]:
            for name, what, samples in _list_families(summary, last_success):
                family = Metric(name, what, "gauge")
                for labels, value in samples:
                    named = {"fleet": fleet, **labels}
                    family.add_sample(name, {key: _escape_bytes(text) for key, text in named.items()}, value)
                yield family

    registry = CollectorRegistry()
    registry.register(Families())
    return generate_latest(registry).decode()


Samples = list[tuple[dict[str, str], float]]


def _list_families(summary: DriftRunSummary, last_success: int | None) -> Iterator[tuple[str, str, Samples]]:
    """Yield name, help text and samples of each family. The help text must be the same in all files of a collector."""
    yield "harbor_agent_build_info", "The version that wrote this file.", [({"version": __version__}, 1)]
    yield (
        "harbor_agent_drift_last_run_timestamp_seconds",
        "When the last run ended, regardless of its result.",
        _build_sample(int(summary.ended_at)),
    )
    yield (
        _LAST_SUCCESS,
        "When a run last completed its check: exit code 0, 3, 4 or 5.",
        _build_sample(last_success) if last_success is not None else [],
    )
    yield "harbor_agent_drift_duration_seconds", "How long the last run took.", _build_sample(round(summary.seconds, 3))
    yield "harbor_agent_drift_exit_code", "The exit code of the last run.", _build_sample(summary.exit_code)
    outcomes = Counter(result.outcome for result in (summary.correction.results if summary.correction else ()))
    yield (
        "harbor_agent_drift_corrections",
        "Nodes that the last run chose to correct, by outcome.",
        [({"outcome": outcome.value}, outcomes[outcome]) for outcome in _OUTCOMES],
    )
    if summary.report is not None:
        yield from _list_node_families(summary.report, summary.correction)
        yield from _list_secret_families(summary.report.secrets, summary.correction)
        yield (
            "harbor_agent_certificate_not_after_timestamp_seconds",
            "When the last CA of a registry expires, or the certificate that the registry serves.",
            [
                ({"registry": str(one.address), "kind": one.kind}, int(one.ends.timestamp()))
                for one in summary.report.certificates
            ],
        )


def _list_node_families(report: DriftReport, ended: Report | None) -> Iterator[tuple[str, str, Samples]]:
    done = ended.changed_nodes if ended else frozenset()
    # The status after the run: a corrected node is in sync.
    left = {node.name: DriftStatus.IN_SYNC if node.name in done else node.status for node in report.nodes}
    quarantined = [node.name for node in report.nodes if node.quarantine]
    counts = Counter(left.values())
    yield (
        "harbor_agent_drift_nodes",
        "Nodes by their status after the last run.",
        [({"status": status.value}, counts[status]) for status in DriftStatus],
    )
    yield (
        "harbor_agent_drift_node_status",
        "Always 1: the status of the node after the last run.",
        [(_label_node(node, status=left[node.name].value), 1) for node in report.nodes],
    )
    outcomes = {result.node: result.outcome for result in (ended.results if ended else ())}
    yield (
        "harbor_agent_drift_node_corrected",
        "Always 1: the outcome of the correction of the node in the last run.",
        [(_label_node(node, outcome=outcomes[node.name].value), 1) for node in report.nodes if node.name in outcomes],
    )
    yield (
        "harbor_agent_drift_quarantined_nodes",
        "Nodes that are not corrected, because another program reverts corrections there.",
        _build_sample(len(quarantined)),
    )
    yield (
        "harbor_agent_drift_node_quarantined",
        "Always 1: the node is in quarantine.",
        [({"node": name}, 1) for name in quarantined],
    )


def _label_node(node: DriftedNode, **labels: str) -> dict[str, str]:
    """Return the labels of a node; the runtime of one that was not reached is not known."""
    runtime = {"runtime": node.planned.runtime} if node.planned.state else {}
    return {"node": node.name, **runtime, **labels}


def _list_secret_families(drift: SecretsDrift | None, ended: Report | None) -> Iterator[tuple[str, str, Samples]]:
    if drift is None or drift.problem:
        return
    report = ended.secrets if ended else None
    left = list_states_after(drift, report)
    counts = Counter(left)
    yield (
        "harbor_agent_drift_pull_secrets",
        "Pull secrets by their status after the last run.",
        [({"status": status.value}, counts[status]) for status in DriftStatus if status is not DriftStatus.BUSY],
    )
    yield (
        "harbor_agent_drift_pull_secret_status",
        "Always 1: the status of the pull secret after the last run.",
        [
            ({"namespace": one.namespace, "secret": one.name, "status": status.value}, 1)
            for one, status in zip(drift.secrets, left, strict=True)
        ],
    )
    outcomes = Counter(item.result.outcome for item in (report.items if report else ()))
    yield (
        "harbor_agent_drift_pull_secret_corrections",
        "Pull secrets that the last run chose to correct, by outcome.",
        [({"outcome": outcome.value}, number) for outcome, number in outcomes.items()],
    )


def _build_sample(value: float) -> Samples:
    return [({}, value)]


def _escape_bytes(value: str) -> str:
    """Return the value with bytes that are not UTF-8 escaped: the format has none."""
    return value.encode(errors="backslashreplace").decode()


def _find_last_success(file: Path, summary: DriftRunSummary) -> int | None:
    """Return when a run last completed its check: now, or the time that an earlier run wrote.

    A time in the future counts as now: after a clock that jumped ahead, an alert on old metrics would stay silent.
    """
    now = int(summary.ended_at)
    if summary.exit_code in WENT_WELL:
        return now
    earlier = _read_earlier_success(file)
    return min(earlier, now) if earlier is not None else None


def _read_earlier_success(file: Path) -> int | None:
    """Return the time in a file of an earlier run; None if there is none, or if another program wrote the file."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - as above

    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD).decode(errors="replace")
        text = "".join(f"{line}\n" for line in head.split("\n") if line.startswith(_LAST_SUCCESS))
        found = [sample.value for family in text_string_to_metric_families(text) for sample in family.samples]
        return int(min(found)) if found else None
    except (OSError, ValueError, OverflowError):
        return None

"""The metrics file: what an earlier run wrote is read, and the whole is written again.

The format is the Prometheus text exposition format 0.0.4. Series that no longer apply disappear with each run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.metrics.families import LAST_SUCCESS, list_families
from harbor_agent.engine.drift.metrics.nodes import DRIFTED_SINCE
from harbor_agent.engine.drift.metrics.summary import Past, escape_bytes
from harbor_agent.errors import Problem, UsageError
from harbor_agent.local.files import describe_error, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from harbor_agent.engine.drift.metrics.summary import DriftRunSummary

_SUFFIX = ".prom"
_LARGEST = 1 << 26  # of 100,000 nodes
_CARRIED = (LAST_SUCCESS, DRIFTED_SINCE)


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
        replace_file(str(file), render_metrics(file.stem, summary, read_past(file)).encode(), mode=0o644)
    except OSError as error:
        return Problem(
            code="metrics-unwritable",
            message=f"cannot write the metrics to {file}: {describe_error(error)}",
            hint="create the directory and make it writable for this user; until then the previous file stays",
        )
    return None


def render_metrics(fleet: str, summary: DriftRunSummary, past: Past) -> str:
    """Return the whole file. `fleet` distinguishes its series from those of other files of the same collector."""
    # loads an HTTP server: 0.05 s of CPU, which a run without --metrics does not spend
    from prometheus_client import CollectorRegistry, Metric, generate_latest  # noqa: PLC0415

    class Families:
        def collect(self) -> Iterator[Metric]:
            for name, what, samples in list_families(summary, past):
                family = Metric(name, what, "gauge")
                for labels, value in samples:
                    named = {"fleet": fleet, **labels}
                    family.add_sample(name, {key: escape_bytes(text) for key, text in named.items()}, value)
                yield family

    registry = CollectorRegistry()
    registry.register(Families())
    return generate_latest(registry).decode()


def read_past(file: Path) -> Past:
    """Return what the file of earlier runs knows; nothing if there is none, or if another program wrote it."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - as above

    try:
        with file.open("rb") as stream:
            text = stream.read(_LARGEST).decode(errors="replace")
        carried = "".join(f"{line}\n" for line in text.split("\n") if line.startswith(_CARRIED))
        samples = [one for family in text_string_to_metric_families(carried) for one in family.samples]
        successes = [int(one.value) for one in samples if one.name == LAST_SUCCESS]
        since = {one.labels["node"]: int(one.value) for one in samples if one.name == DRIFTED_SINCE}
    except (OSError, ValueError, OverflowError, KeyError):
        return Past()
    return Past(last_success=min(successes, default=None), drifted_since=since)

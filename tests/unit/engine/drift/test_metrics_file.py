"""The file of metrics: whole or as it was, with what the last one knew."""

from __future__ import annotations

import os
import resource
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.metrics.file import parse_metrics_path, write_metrics
from harbor_agent.errors import UsageError
from harbor_agent.planning.drift import DriftStatus
from tests.unit.engine.drift.metrics import drifted, measured, report, series, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_series_that_no_longer_apply_disappear(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(3, report=report(drifted("gone", DriftStatus.DRIFT))))
    write_metrics(file, measured(0, report=report(drifted("stays", DriftStatus.IN_SYNC))))
    text = file.read_text()
    assert "gone" not in text
    assert value(series(text), "drift_nodes", status="drift") == 0


def test_all_users_can_read_the_file_and_no_other_is_left(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert write_metrics(tmp_path / "site.prom", measured()) is None
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / "site.prom").symlink_to(elsewhere)
    assert write_metrics(tmp_path / "site.prom", measured()) is None
    assert elsewhere.read_text() == "kept"
    assert not (tmp_path / "site.prom").is_symlink()


def success(file: Path) -> float | None:
    return value(series(file.read_text()), "drift_last_success_timestamp_seconds")


@pytest.mark.parametrize("code", [0, 3, 4, 5])
def test_the_last_success_survives_failed_runs(tmp_path: Path, code: int) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(1, ended_at=500))
    assert success(file) is None
    write_metrics(file, measured(code, ended_at=1000))
    for failed in (1, 2, 6, 7, 70, 75, 143):
        write_metrics(file, measured(failed, ended_at=2000))
        assert success(file) == 1000


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    file.write_text(
        "# TYPE harbor_agent_drift_last_success_timestamp_seconds gauge\n"
        'harbor_agent_drift_last_success_timestamp_seconds{fleet="site"} 1764501000\n'
    )
    assert write_metrics(file, measured(1, ended_at=1764502000)) is None
    assert success(file) == 1764501000


def test_a_clock_that_had_jumped_ahead_does_not_hide_a_later_silence(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(0, ended_at=9_000_000_000))
    write_metrics(file, measured(1, ended_at=2000))
    assert success(file) == 2000
    write_metrics(file, measured(1, ended_at=3000))
    assert success(file) == 2000


def test_a_file_of_another_program_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    file.write_bytes(b"\xff harbor_agent_drift_last_success_timestamp_seconds{} x\n")
    assert write_metrics(file, measured(1)) is None
    assert success(file) is None


@contextmanager
def full_disk() -> Iterator[None]:
    """While the block runs this process can write next to nothing into any file, pytest's own included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_the_file_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(0, ended_at=1000))
    before = file.read_text()
    with full_disk():
        problem = write_metrics(file, measured(0, ended_at=2000))
    assert problem is not None
    assert problem.code == "metrics-unwritable"
    assert str(file) in problem.message
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    problem = write_metrics(tmp_path / "nowhere/site.prom", measured())
    assert problem is not None
    assert "no such file or directory" in problem.message


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    nodes = report(*(drifted(f"node{number}", DriftStatus.IN_SYNC) for number in range(2000)))
    write_metrics(file, measured(0, report=nodes))
    with file.open() as reader:
        write_metrics(file, measured(0, ended_at=time.time(), report=nodes))
        assert reader.read().endswith("\n")
    assert len(file.read_text().splitlines()) > 2000


def test_a_name_that_the_collector_ignores_is_refused() -> None:
    assert parse_metrics_path("/var/lib/x/site.prom").stem == "site"
    with pytest.raises(UsageError, match=r"end in \.prom"):
        parse_metrics_path("/var/lib/x/site.txt")

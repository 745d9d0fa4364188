"""The metrics file says how a drift run ended, however it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.history.lock import hold_lock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

REFUSED = "node1 ansible_host=127.0.0.1 ansible_port=1"


def values(file: Path) -> dict[str, float]:
    """Each value by name, and by status where there is one."""
    return {
        sample.name.removeprefix("harbor_agent_drift_") + sample.labels.get("status", ""): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def test_nodes_that_do_not_answer_are_counted(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(REFUSED)
    ran = run("drift", "-i", "hosts", "--metrics", "site.prom", "-o", "json", XDG_STATE_HOME=str(tmp_path))
    assert (ran.rc, ran.document()["warnings"]) == (4, [])
    found = values(tmp_path / "site.prom")
    assert (found["exit_code"], found["nodesunreachable"], found["nodesin_sync"]) == (4, 1, 0)
    assert found["last_success_timestamp_seconds"] == found["last_run_timestamp_seconds"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-i", "nowhere"), 2),  # an inventory that is gone
        (("-i", "empty"), 2),  # or shrank to nothing
        (("-i", "hosts", "-c", "wrong.yaml"), 2),
        (("-i", "hosts", "--correct"), 2),  # to what?
    ],
)
def test_a_run_that_ends_early_is_heard(run: Runner, tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    (tmp_path / "hosts").write_text(REFUSED)
    (tmp_path / "empty").write_text("[nodes]\n")
    (tmp_path / "wrong.yaml").write_text("registrys: []\n")
    (tmp_path / "site.prom").write_text('harbor_agent_drift_nodes{status="drift"} 3\n')
    ran = run("drift", *arguments, "--metrics", "site.prom", XDG_STATE_HOME=str(tmp_path))
    found = values(tmp_path / "site.prom")
    assert (ran.rc, found["exit_code"]) == (code, code), ran.err
    assert "last_success_timestamp_seconds" not in found
    assert found.get("nodesdrift", 0) == 0


def test_metrics_that_cannot_be_written_are_a_warning_and_change_nothing_else(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(REFUSED)
    state = {"XDG_STATE_HOME": str(tmp_path)}
    ran = run("drift", "-i", "hosts", "--metrics", "nowhere/site.prom", "-o", "json", **state)
    assert ran.rc == 4
    assert [warning["code"] for warning in ran.document()["warnings"]] == ["metrics-unwritable"]  # type: ignore[index, attr-defined]
    assert "metrics-unwritable" in run("drift", "-i", "hosts", "--metrics", "nowhere/site.prom", **state).out
    early = run("drift", "-i", "gone", "--metrics", "nowhere/site.prom", **state)
    assert early.rc == 2
    assert "metrics-unwritable" in early.err
    assert "inventory-missing" in early.err


def test_a_name_that_the_collector_would_not_read_ends_the_run(run: Runner) -> None:
    ran = run("drift", "-i", "node1,", "--metrics", "site.txt")
    assert ran.rc == 2
    assert ".prom" in ran.err


def test_a_look_needs_no_lock(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text(REFUSED)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with hold_lock("another"):
        assert run("drift", "-i", "hosts", "--metrics", "site.prom").rc == 4

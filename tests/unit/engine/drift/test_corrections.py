"""The log of corrections: kept through changes of the clock, and without nodes that were not changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.corrections import CorrectedFile, CorrectionLog
from harbor_agent.engine.history.database import find_history_file
from harbor_agent.engine.history.runs import Store
from harbor_agent.model.runs import Quarantine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def corrected(node: str = "node1", found: str = "a") -> CorrectedFile:
    return CorrectedFile(node=node, path="/etc/docker/daemon.json", found=found)


def test_corrections_are_listed_newest_first_with_their_age() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected(found="a"), corrected("node2")])
        memory.add([corrected(found="b")])
        past = memory.list_corrections("node1")
    assert [one.found for one in past] == ["b", "a"]
    assert all(0 <= one.seconds_ago < 60 for one in past)


def test_nodes_that_were_not_changed_do_not_count() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected(found="a")])
        added = memory.add([corrected(found="b"), corrected("node2")])
        memory.forget(added, ["node1"])
        assert [one.found for one in memory.list_corrections("node1")] == ["a"]
        assert len(memory.list_corrections("node2")) == 1


def test_a_clock_that_was_set_back_hides_no_reverted_file() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected()])
        # As if it had been written before the last boot, by a clock that was a day ahead.
        memory.connection.execute("UPDATE correction SET boot_id = 'another', clock = clock + 86400")
        assert memory.list_corrections("node1")[0].seconds_ago == 0


def test_a_clock_that_jumped_ahead_hides_no_reverted_file_within_a_boot() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected()])
        memory.connection.execute("UPDATE correction SET clock = clock - 10 * 86400")
        assert memory.list_corrections("node1")[0].seconds_ago < 60


def test_a_released_node_starts_without_corrections() -> None:
    quarantine = Quarantine(node="node1", since="2026-11-24T06:09:06+00:00", path="/x", reason="why", owner=None)
    with CorrectionLog() as memory:
        memory.add([corrected()])
        memory.quarantine(quarantine)
        assert memory.list_quarantines() == {"node1": quarantine}
        assert memory.release("node1") == quarantine
        assert memory.release("node1") is None
        assert (memory.list_quarantines(), memory.list_corrections("node1")) == ({}, [])


def test_a_history_of_the_first_schema_is_migrated_with_its_content() -> None:
    with Store() as store:
        store.connection.execute(
            "INSERT INTO run (id, kind, tool, started, who, options, config, config_digest, note) "
            "VALUES ('run-1', 'apply', '', '', '', '{}', '', '', '')"
        )
    with closing(sqlite3.connect(find_history_file())) as connection, connection:
        connection.executescript(
            "DROP TABLE correction; DROP TABLE quarantine; DROP TABLE config_map; DROP TABLE secret_scope; "
            "PRAGMA user_version = 1;"
        )
        connection.execute("ALTER TABLE run RENAME COLUMN rolls_back TO takes_back")
    with CorrectionLog() as memory:
        memory.add([corrected()])
        assert len(memory.list_corrections("node1")) == 1
    with Store() as store:
        assert [run.run_id for run in store.list_runs()] == ["run-1"]

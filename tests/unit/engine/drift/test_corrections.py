"""The log of corrections: kept through changes of the clock, and without nodes that were not changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.corrections import CorrectedFile, CorrectionLog, find_quarantine
from harbor_agent.engine.history.database import find_history_file
from harbor_agent.engine.history.runs import Store
from harbor_agent.model.runs import Quarantine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


EAST, WEST = "192.168.1.2:22", "192.168.2.2:22"


def corrected(node: str = "node1", found: str = "a", place: str = EAST) -> CorrectedFile:
    return CorrectedFile(node=node, place=place, path="/etc/docker/daemon.json", found=found)


def quarantined(place: str) -> Quarantine:
    return Quarantine(node="node1", place=place, since="2026-11-24T06:09:06+00:00", path="/x", reason="why")


def test_corrections_are_listed_newest_first_with_their_age() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected(found="a"), corrected("node2")])
        memory.add([corrected(found="b")])
        past = memory.list_corrections("node1", EAST)
    assert [one.found for one in past] == ["b", "a"]
    assert all(0 <= one.seconds_ago < 60 for one in past)


def test_nodes_that_were_not_changed_do_not_count() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected(found="a")])
        added = memory.add([corrected(found="b"), corrected("node2")])
        memory.forget(added, [("node1", EAST)])
        assert [one.found for one in memory.list_corrections("node1", EAST)] == ["a"]
        assert len(memory.list_corrections("node2", EAST)) == 1


def test_a_clock_that_was_set_back_hides_no_reverted_file() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected()])
        # As if it had been written before the last boot, by a clock that was a day ahead.
        memory.connection.execute("UPDATE correction SET boot_id = 'another', clock = clock + 86400")
        assert memory.list_corrections("node1", EAST)[0].seconds_ago == 0


def test_a_clock_that_jumped_ahead_hides_no_reverted_file_within_a_boot() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected()])
        memory.connection.execute("UPDATE correction SET clock = clock - 10 * 86400")
        assert memory.list_corrections("node1", EAST)[0].seconds_ago < 60


def test_a_released_node_starts_without_corrections() -> None:
    with CorrectionLog() as memory:
        memory.add([corrected()])
        memory.quarantine(quarantined(EAST))
        assert memory.list_quarantines() == [quarantined(EAST)]
        assert memory.release("node1") == [quarantined(EAST)]
        assert memory.release("node1") == []
        assert (memory.list_quarantines(), memory.list_corrections("node1", EAST)) == ([], [])


def test_nodes_of_one_name_in_two_clusters_share_nothing() -> None:
    with CorrectionLog() as memory:
        added = memory.add([corrected(found="a"), corrected(found="b", place=WEST)])
        memory.quarantine(quarantined(EAST))
        assert [one.found for one in memory.list_corrections("node1", WEST)] == ["b"]
        found = memory.list_quarantines()
        assert find_quarantine(found, "node1", EAST) == quarantined(EAST)
        assert find_quarantine(found, "node1", WEST) is None
        assert memory.find_name(quarantined(EAST)) == "node1"
        memory.quarantine(quarantined(WEST))
        assert memory.find_name(quarantined(EAST)) == f"node1@{EAST}"
        # Not exactly one, so that a person has to name the place.
        assert memory.release("node1") == [quarantined(EAST), quarantined(WEST)]
        assert memory.release(f"node1@{WEST}") == [quarantined(WEST)]
        assert memory.list_quarantines() == [quarantined(EAST)]
        assert memory.list_corrections("node1", WEST) == []
        memory.forget(added - 1, [("node1", WEST)])
        assert [one.found for one in memory.list_corrections("node1", EAST)] == ["a"]


def test_what_an_earlier_version_knew_counts_until_it_is_released() -> None:
    with CorrectionLog() as memory:
        memory.connection.executescript(
            "ALTER TABLE config_map DROP COLUMN cluster; "
            "ALTER TABLE correction DROP COLUMN place; DROP TABLE quarantine; "
            "CREATE TABLE quarantine (node TEXT PRIMARY KEY, since TEXT NOT NULL, path TEXT NOT NULL, "
            "reason TEXT NOT NULL, owner TEXT) STRICT; "
            "INSERT INTO quarantine VALUES ('node1', '2026-11-24T06:09:06+00:00', '/x', 'why', NULL); "
            "INSERT INTO correction (node, path, found, clock, boot_id, uptime) VALUES ('node1', '/x', 'a', 0, '', 0); "
            "PRAGMA user_version = 5;"
        )
    with CorrectionLog() as memory:
        assert find_quarantine(memory.list_quarantines(), "node1", EAST) == quarantined("")
        assert [one.found for one in memory.list_corrections("node1", EAST)] == ["a"]
        assert memory.release("node1") == [quarantined("")]
        assert memory.list_corrections("node1", EAST) == []


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
        assert len(memory.list_corrections("node1", EAST)) == 1
    with Store() as store:
        assert [run.run_id for run in store.list_runs()] == ["run-1"]

"""The run history: ordered by a counter, bounded, and never the reason for a failure."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.drift.corrections import CorrectionLog, find_quarantine
from harbor_agent.engine.history.database import HistoryError, find_history_file
from harbor_agent.engine.history.runs import Bounds, Store
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastConfigMap, PastNode, PastRun, RunKind

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run(number: int, *names: str, started: str = "2026-11-24T06:09:06+00:00") -> PastRun:
    return PastRun(
        run_id=f"run-{number}",
        kind=RunKind.APPLY,
        tool="harbor-agent 0",
        started=started,
        who="ops@controller",
        options="{}",
        nodes=tuple(PastNode(node=name, policy_digest="d") for name in names),
    )


def add(*runs: PastRun, bounds: Bounds | None = None) -> None:
    with Store(bounds) as store:
        for one in runs:
            store.add_run(one)


def test_a_run_is_recorded_with_its_nodes_before_it_ends() -> None:
    begun = run(1, "node2", "node1")
    add(begun)
    with Store() as store:
        assert store.find_run("run-1") == begun
        done = PastNode(
            node="node1",
            policy_digest="d",
            outcome=Outcome.CHANGED,
            action="reload",
            transaction="run-1",
            verified=True,
        )
        store.write_nodes("run-1", [done])
        store.finish_run("run-1", exit_code=7, halted="1 failed")
    with Store() as store:
        (ended,) = store.list_runs()
    assert ended.nodes == (begun.nodes[0], done)
    assert (ended.exit_code, ended.halted, ended.ended is not None) == (7, "1 failed", True)
    assert [node.is_done for node in ended.nodes] == [False, True]


def test_only_the_owner_can_read_it() -> None:
    add(run(1, "node1"))
    with Store():
        assert stat.S_IMODE(find_history_file().parent.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in find_history_file().parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_runs_are_in_their_own_order_and_not_in_that_of_the_clock() -> None:
    add(run(1, "node1", started="2026-11-24T06:00:00+00:00"), run(2, "node1", started="2019-01-01T00:00:00+00:00"))
    with Store() as store:
        assert [one.run_id for one in store.list_runs()] == ["run-2", "run-1"]


def test_a_node_has_the_runs_that_it_was_part_of() -> None:
    add(run(1, "node1", "node2"), run(2, "node2"), run(3, "node1"))
    with Store() as store:
        found = store.list_runs_of("node1")
    assert [(one.run_id, [node.node for node in one.nodes]) for one in found] == [
        ("run-3", ["node1"]),
        ("run-1", ["node1"]),
    ]


def test_too_many_runs_are_deleted_with_their_nodes() -> None:
    add(*(run(number, "node1") for number in range(1, 7)), bounds=Bounds(runs=3))
    with Store() as store:
        assert [one.run_id for one in store.list_runs()] == ["run-6", "run-5", "run-4"]
        assert len(store.list_runs_of("node1")) == 3


def test_old_runs_are_deleted_but_a_wrong_clock_does_not_empty_the_history() -> None:
    add(*(run(number, started="1999-01-01T00:00:00+00:00") for number in range(1, 5)), bounds=Bounds(always=2))
    with Store() as store:
        assert [one.run_id for one in store.list_runs()] == ["run-4", "run-3"]


def test_many_nodes_are_bounded_too() -> None:
    add(*(run(number, "node1", "node2") for number in range(1, 6)), bounds=Bounds(always=1, nodes=4))
    with Store() as store:
        assert [one.run_id for one in store.list_runs()] == ["run-5", "run-4", "run-3"]


def _write_forever(ready: Event) -> None:
    with Store() as store:
        for number in range(1_000_000):
            store.add_run(run(number, *(f"node{n}" for n in range(20))))
            if number == 3:
                ready.set()


def test_a_killed_writer_leaves_whole_runs() -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_write_forever, args=(ready,))
    process.start()
    assert ready.wait(60)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    with Store() as store:
        runs = store.list_runs()
        store.add_run(run(-1, "node1"))
    assert len(runs) >= 3
    assert {len(one.nodes) for one in runs} == {20}


@pytest.mark.parametrize("content", [b"\xff\x00 no database" * 100, b"SQLite format 3\x00" + b"\x07" * 5000])
def test_a_corrupt_file_is_moved_aside_and_reported(content: bytes) -> None:
    find_history_file().parent.mkdir(parents=True)
    find_history_file().write_bytes(content)
    with Store() as store:
        assert store.moved_aside is not None
        assert store.moved_aside.code == "history-unusable"
        (aside,) = find_history_file().parent.glob("history.sqlite3.unreadable-*")
        assert str(aside) in store.moved_aside.message
        store.add_run(run(1, "node1"))
    assert aside.read_bytes() == content
    with Store() as store:
        assert store.moved_aside is None
        assert len(store.list_runs()) == 1


def test_a_newer_schema_is_not_changed() -> None:
    add(run(1))
    with closing(sqlite3.connect(find_history_file())) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = find_history_file().read_bytes()
    with pytest.raises(HistoryError, match="was written by a newer harbor-agent") as caught:
        Store()
    assert "XDG_STATE_HOME" in caught.value.problem.hint
    assert find_history_file().read_bytes() == before


def test_an_older_file_is_migrated_and_its_config_maps_count_for_any_cluster() -> None:
    find_history_file().parent.mkdir(parents=True)
    older = Path(__file__).with_name("schema-6.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(find_history_file())) as connection:
        connection.executescript(older)
    east, west, name = "https://east:6443 1a", "https://west:6443 2b", ("kube-system", "coredns")
    change = PastConfigMap(
        server="deployment/coredns",
        namespace="kube-system",
        name="coredns",
        before="a" * 64,
        after="c" * 64,
        record_after="new",
        outcome=Outcome.CHANGED,
        cluster=east,
    )
    with Store() as store:
        for cluster in (east, west):
            past = store.find_last_change(cluster, *name)
            assert past
            assert (past.record_after, past.cluster) == ("west", "")
        store.add_run(replace(run(3), config_maps=(change,)))
        assert store.find_last_change(east, *name) == change
        assert store.find_last_change(west, *name) == past
        # Runs of an older version are found by their inventory too.
        found = [store.find_last_run([f"/srv/{site}.ini"]) for site in ("east", "west", "south")]
    assert [one and one.run_id for one in found] == ["run-1", "run-2", None]
    with CorrectionLog() as log:
        quarantines = log.list_quarantines()
        assert find_quarantine(quarantines, "kube-system/coredns", west) == quarantines[0]
        assert len(log.list_corrections("kube-system/coredns", east)) == 1


def test_a_path_that_is_not_a_file_is_an_error() -> None:
    find_history_file().mkdir(parents=True)
    with pytest.raises(HistoryError, match=r"history\.sqlite3: unable to open"):
        Store()


def test_two_runs_at_once_are_both_recorded() -> None:
    with Store() as one, Store() as other:
        one.add_run(run(1, "node1"))
        other.add_run(run(2, "node1"))
        one.finish_run("run-1", exit_code=0, halted=None)
        assert [found.run_id for found in other.list_runs()] == ["run-2", "run-1"]

"""Questions to the run history get clear answers, whatever it holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.runs import Store
from harbor_agent.engine.request.request import decode_request
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

OPTIONS = '{"selection": {"sources": ["node1,"]}, "flags": {"addresses": ["h.lan"]}, "config": null, "repair": false, '
OPTIONS += '"root": null, "docker_version": null, "note": ""}'
# The second form of the history, as builds before version 2 of the documents wrote it.
OLDER = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, tool TEXT NOT NULL,
    started TEXT NOT NULL, who TEXT NOT NULL, options TEXT NOT NULL, config TEXT NOT NULL,
    config_digest TEXT NOT NULL, note TEXT NOT NULL, resumes TEXT, takes_back TEXT,
    ended TEXT, exit_code INTEGER, halted TEXT
) STRICT;
CREATE TABLE node (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name TEXT NOT NULL, policy_digest TEXT NOT NULL, outcome TEXT, action TEXT NOT NULL, transaction_id TEXT,
    verified INTEGER, code TEXT, reason TEXT NOT NULL, seconds REAL NOT NULL, UNIQUE (run, name)
) STRICT;
CREATE TABLE correction (
    number INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, path TEXT NOT NULL, found TEXT NOT NULL,
    clock REAL NOT NULL, boot_id TEXT NOT NULL, uptime REAL NOT NULL
) STRICT;
CREATE TABLE quarantine (
    node TEXT PRIMARY KEY, since TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL, owner TEXT
) STRICT;
INSERT INTO run VALUES (1, 'run-1', 'rollback', 'harbor-agent 0', '2026-11-24T06:09:06+00:00', 'ops@ctl',
    '{"reach": {"sources": ["node1,"], "limit": "node1", "forks": 10}, "flags": {}, "config": null, "repair": false,
    "root": null, "docker_version": null, "note": "ticket 7"}',
    '', '', 'ticket 7', NULL, 'run-0', '2026-11-24T06:09:16+00:00', 0, NULL);
PRAGMA user_version = 2;
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The history that the commands of the test see too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Store() as store:
        yield store


def add(
    store: Store,
    run_id: str,
    kind: RunKind = RunKind.APPLY,
    options: str = OPTIONS,
    outcome: Outcome | None = Outcome.FAILED,
) -> None:
    node = PastNode(node="node1", policy_digest="d", outcome=outcome, reason="it broke", code="x")
    run = PastRun(
        run_id=run_id,
        kind=kind,
        tool="harbor-agent 0",
        started="2026-11-24T06:09:06+00:00",
        who="ops@ctl",
        options=options,
        note="ticket 7",
        nodes=(node,),
    )
    store.add_run(run)


def test_an_empty_history_is_no_error(run: Runner, store: Store) -> None:
    assert store.list_runs() == []
    assert run("history").out == "no runs in the history of this controller\n"
    assert run("history", "-o", "json").document()["runs"] == []


def test_runs_are_listed_newest_first_with_their_end(run: Runner, store: Store) -> None:
    for number in range(25):
        add(store, f"run-{number}")
    store.finish_run("run-24", exit_code=1, halted="1 failed")
    out = run("history").out.splitlines()
    assert out[1].split()[:2] == ["run-24", "apply"]
    assert "exit code 1" in out[1]
    assert "did not finish" in out[2]
    assert out[-1] == "5 earlier runs; to list all: harbor-agent history -o json"
    assert len(run("history", "-o", "json").document()["runs"]) == 25  # type: ignore[arg-type]


def test_one_run_and_one_node_are_shown(run: Runner, store: Store) -> None:
    add(store, "run-1")
    shown = run("history", "show", "run-1").out
    assert "it broke" in shown
    assert "options:   sources: node1,\n           addresses: h.lan\nnote:      ticket 7\n" in shown
    assert "ticket 7" in shown
    assert "ops@ctl" in shown
    assert "failed" in run("history", "node", "node1").out
    assert run("history", "node", "node1", "-o", "json").document()["runs"][0]["nodes"][0]["code"] == "x"  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "word", "count"), [(1, "not begun", "1 not begun"), (130, "outcome unknown", "1 without outcome")]
)
def test_a_run_that_an_error_ended_before_its_first_node_is_not_called_unknown(
    run: Runner, store: Store, code: int, word: str, count: str
) -> None:
    add(store, "run-1", outcome=None)
    store.finish_run("run-1", exit_code=code, halted="192.168.0.99 rejects the login")
    assert f"node1  {word}" in run("history", "show", "run-1").out
    assert word in run("history", "node", "node1").out
    assert count in run("history").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("history", "show", "nope"), "run-unknown"),
        (("history", "node", "nope"), "history-node-unknown"),
        (("apply", "--resume", "nope", "--yes"), "run-unknown"),
        (("apply", "--resume", "done", "--yes"), "run-complete"),
        (("apply", "--resume", "back", "--yes"), "run-not-resumable"),
        (("apply", "--resume", "odd", "--yes"), "run-not-resumable"),
        (("apply", "--resume", "done", "--registry", "h.lan", "--yes"), "flags-ambiguous"),
        (("apply", "x.plan", "--resume", "done", "--yes"), "flags-ambiguous"),
    ],
)
def test_what_cannot_be_is_said(run: Runner, store: Store, arguments: tuple[str, ...], code: str) -> None:
    add(store, "done")
    store.finish_run("done", exit_code=0, halted=None)
    add(store, "back", RunKind.ROLLBACK)
    add(store, "odd", options="[1]")
    ran = run(*arguments, "-o", "json")
    assert (ran.rc, ran.document()["error"]["code"]) == (2, code), ran.err  # type: ignore[index]


def test_a_history_that_cannot_be_used_is_said(run: Runner, store: Store, tmp_path: Path) -> None:
    store.close()
    for file in (tmp_path / "harbor-agent").glob("history*"):
        file.unlink()
    (tmp_path / "harbor-agent/history.sqlite3").mkdir()
    ran = run("history", "-o", "json")
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "history-unusable")  # type: ignore[index]
    assert run("drift", "release", "node1").rc == 2


def test_runs_of_an_older_build_are_shown_in_the_new_form(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "harbor-agent").mkdir()
    with closing(sqlite3.connect(tmp_path / "harbor-agent/history.sqlite3")) as connection:
        connection.executescript(OLDER)
    (rollback,) = run("history", "-o", "json").document()["runs"]  # type: ignore[misc]
    assert (rollback["run_id"], rollback["rolls_back"]) == ("run-1", "run-0")
    assert rollback["options"]["selection"] == {"sources": ["node1,"], "limit": "node1", "forks": 10}
    assert (rollback["options"]["note"], "reach" in rollback["options"]) == ("ticket 7", False)
    assert decode_request(json.dumps(rollback["options"])).selection.limit == "node1"


@pytest.mark.parametrize("amount", ["x", "-1", "30 %", "%", "٣"])
def test_an_amount_that_is_none_is_a_wrong_command_line(run: Runner, amount: str) -> None:
    ran = run("drift", "-i", "node1,", "--max-drifted", amount)
    assert ran.rc == 2
    assert "neither a number nor a percentage" in ran.err


def test_an_inventory_that_shrank_to_nothing_is_no_clean_bill(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "empty.ini").write_text("[nodes]\n")
    for arguments in (("drift",), ("drift", "--correct", "--yes")):
        ran = run(*arguments, "-i", "empty.ini", "-o", "json")
        assert (ran.rc, ran.document()["error"]["code"]) == (2, "inventory-empty"), ran.err  # type: ignore[index]

"""The controller's memory of its runs, in SQLite beside the lock: a cache, which nodes do not depend on.

Rows are ordered by a counter, since clocks go backwards. What cannot be read is moved aside under a name that says so.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from agent.engine.lock import lock_file
from agent.errors import AgentError, ExitCode, Problem
from agent.model.history import PastNode, PastRun, RunKind
from agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

_BUSY_SECONDS = 10.0
_UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# SQLite's extended codes have the primary one in their lowest byte.
_PRIMARY = 0xFF
# Each brings the schema from the version that is its place in the list to the next; none is ever changed.
_MIGRATIONS = (
    (
        """
        CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, tool TEXT NOT NULL,
            started TEXT NOT NULL, who TEXT NOT NULL, options TEXT NOT NULL, config TEXT NOT NULL,
            config_digest TEXT NOT NULL, note TEXT NOT NULL, resumes TEXT, takes_back TEXT,
            ended TEXT, exit_code INTEGER, halted TEXT
        ) STRICT
        """,
        """
        CREATE TABLE node (
            number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
            name TEXT NOT NULL, policy_digest TEXT NOT NULL, outcome TEXT, action TEXT NOT NULL, transaction_id TEXT,
            verified INTEGER, code TEXT, reason TEXT NOT NULL, seconds REAL NOT NULL, UNIQUE (run, name)
        ) STRICT
        """,
        "CREATE INDEX node_name ON node (name, run)",
    ),
)
_ADD_RUN = """
    INSERT INTO run (id, kind, tool, started, who, options, config, config_digest, note, resumes, takes_back)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_WRITE_NODE = """
    INSERT INTO node
    (run, name, policy_digest, outcome, action, transaction_id, verified, code, reason, seconds)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, name) DO UPDATE SET outcome = excluded.outcome, action = excluded.action,
    transaction_id = excluded.transaction_id, verified = excluded.verified, code = excluded.code,
    reason = excluded.reason, seconds = excluded.seconds
"""
_RUNS_OF_NODE = "SELECT * FROM run WHERE number IN (SELECT run FROM node WHERE name = ?) ORDER BY number DESC"
_NODES_OF_RUN = "SELECT * FROM node WHERE run = ? AND (name = ? OR ? IS NULL) ORDER BY number"
_PRUNE = """
    DELETE FROM run WHERE number NOT IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)
    OR number NOT IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)
    AND (started < ? OR number < (SELECT run FROM node ORDER BY number DESC LIMIT 1 OFFSET ?))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept: runs, their nodes in all, and for how long.

    The newest `always` runs stay however old they seem: a clock that jumped ahead must not empty the history.
    """

    runs: int = 1000
    nodes: int = 200_000
    age: timedelta = timedelta(days=400)
    always: int = 50


class HistoryError(AgentError):
    """The history cannot be used. No run is stopped by it; only who asks for the history is told so."""

    exit_code = ExitCode.USAGE


def history_file() -> Path:
    """Return where the history is: $XDG_STATE_HOME/harbor-agent/history.sqlite3, ~/.local/state by default."""
    return lock_file().with_name("history.sqlite3")


class Store:
    """The history, open. Use it in a `with` block; every method raises HistoryError (`history-unusable`).

    `moved_aside` says that what was there could not be read, and where it is now.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        """Open the history, or begin a new one."""
        self._bounds = bounds or Bounds()
        self.file = history_file()
        self.moved_aside: Problem | None = None
        with self._told():
            try:
                self._connection = _open(self.file)
            except sqlite3.DatabaseError as error:
                if not _is_unreadable(error):
                    raise
                self.moved_aside = _move_aside(self.file)
                self._connection = _open(self.file)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; safe to repeat."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def add_run(self, run: PastRun) -> None:
        """Write down that a run begins, with its nodes; what is too old or too much goes."""
        values = (
            *(run.run_id, run.kind.value, run.tool, run.started, run.who, run.options, run.config),
            *(run.config_digest, run.note, run.resumes, run.takes_back),
        )
        with self._told(), self._written():
            self._connection.execute(_ADD_RUN, values)
            self._write_nodes(run.run_id, run.nodes)
            self._prune()

    def write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        """Write down what became of nodes of a run that was begun."""
        with self._told(), self._written():
            self._write_nodes(run_id, nodes)

    def end_run(self, run_id: str, *, exit_code: int, halted: str | None) -> None:
        """Write down how a run ended, now."""
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        with self._told(), self._written():
            self._connection.execute(
                "UPDATE run SET ended = ?, exit_code = ?, halted = ? WHERE id = ?", (ended, exit_code, halted, run_id)
            )

    def runs(self) -> list[PastRun]:
        """Return all runs with their nodes, newest first."""
        with self._told():
            return self._runs("SELECT * FROM run ORDER BY number DESC")

    def runs_of(self, node: str) -> list[PastRun]:
        """Return the runs that this node was part of, newest first; each with this node only."""
        with self._told():
            return self._runs(_RUNS_OF_NODE, node, node=node)

    def run(self, run_id: str) -> PastRun | None:
        """Return one run with its nodes, in the order of its plan; None where it is not known."""
        with self._told():
            return next(iter(self._runs("SELECT * FROM run WHERE id = ?", run_id)), None)

    def _runs(self, query: str, *values: str, node: str | None = None) -> list[PastRun]:
        rows = self._connection.execute(query, values).fetchall()
        return [_run(row, self._nodes(row["number"], node)) for row in rows]

    def _nodes(self, number: int, node: str | None) -> tuple[PastNode, ...]:
        return tuple(_node(row) for row in self._connection.execute(_NODES_OF_RUN, (number, node, node)))

    def _write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        found = self._connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            return
        values = [(found["number"], *_values(node)) for node in nodes]
        self._connection.executemany(_WRITE_NODE, values)

    def _prune(self) -> None:
        bounds = self._bounds
        oldest = (datetime.now(UTC) - bounds.age).isoformat(timespec="seconds")
        self._connection.execute(_PRUNE, (bounds.runs, bounds.always, oldest, bounds.nodes))

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        """Write all of the block or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A full disk has ended the transaction already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into a HistoryError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(_unusable(self.file, error)) from None


def _open(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; of several processes that try, one does it and the others find it done."""
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)
    if version > len(_MIGRATIONS):
        connection.execute("ROLLBACK")
        raise sqlite3.NotSupportedError(
            f"a newer harbor-agent wrote it (its form is {version}, this one knows {len(_MIGRATIONS)})"
        )
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_unreadable(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _UNREADABLE


def _move_aside(file: Path) -> Problem:
    """Keep what could not be read under another name, with the files that SQLite keeps beside it."""
    aside = file.with_name(f"{file.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + ending).rename(aside.with_name(aside.name + ending))
    return Problem(
        code="history-unusable",
        message=f"the history of runs could not be read and is now {aside}; a new one was begun",
        hint="nothing on the nodes depends on it; delete the old file when nobody wants to look into it",
    )


def _unusable(file: Path, error: Exception) -> Problem:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(
        code="history-unusable",
        message=f"the history of runs in {file} cannot be used: {reason}",
        hint="use the newer one, or name another folder in XDG_STATE_HOME"
        if isinstance(error, sqlite3.NotSupportedError)
        else "make room, or the folder writable; XDG_STATE_HOME names another folder",
    )


def _values(node: PastNode) -> tuple[object, ...]:
    outcome = node.outcome.value if node.outcome else None
    facts = (node.node, node.policy_digest, outcome, node.action, node.transaction, node.verified)
    return (*facts, node.code, node.reason, node.seconds)


def _run(row: sqlite3.Row, nodes: tuple[PastNode, ...]) -> PastRun:
    own = {name: row[name] for name in row.keys() if name not in {"number", "id", "kind"}}  # noqa: SIM118 - no mapping
    return PastRun(run_id=row["id"], kind=RunKind(row["kind"]), nodes=nodes, **own)


def _node(row: sqlite3.Row) -> PastNode:
    return PastNode(
        node=row["name"],
        policy_digest=row["policy_digest"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        action=row["action"],
        transaction=row["transaction_id"],
        verified=None if row["verified"] is None else bool(row["verified"]),
        code=row["code"],
        reason=row["reason"],
        seconds=row["seconds"],
    )

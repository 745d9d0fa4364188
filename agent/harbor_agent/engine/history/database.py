"""The file of the controller's memory: opened, brought up to date, or moved aside where it cannot be read."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from harbor_agent.engine.history.lock import lock_file
from harbor_agent.errors import AgentError, ExitCode, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    (
        """
        CREATE TABLE correction (
            number INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, path TEXT NOT NULL, found TEXT NOT NULL,
            clock REAL NOT NULL, boot_id TEXT NOT NULL, uptime REAL NOT NULL
        ) STRICT
        """,
        "CREATE INDEX correction_node ON correction (node)",
        """
        CREATE TABLE quarantine (
            node TEXT PRIMARY KEY, since TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL, owner TEXT
        ) STRICT
        """,
    ),
    # The options of a run are a RunRequest in JSON; its member `reach` became `selection`.
    (
        "ALTER TABLE run RENAME COLUMN takes_back TO rolls_back",
        """
        UPDATE run SET options =
            json_set(json_remove(options, '$.reach'), '$.selection', json_extract(options, '$.reach'))
        WHERE CASE WHEN json_valid(options) THEN json_type(options, '$.reach') END IS NOT NULL
        """,
    ),
)


class HistoryError(AgentError):
    """The history cannot be used. No run is stopped by it; only who asks for the history is told so."""

    exit_code = ExitCode.USAGE


def history_file() -> Path:
    """Return where the history is: $XDG_STATE_HOME/harbor-agent/history.sqlite3, ~/.local/state by default."""
    return lock_file().with_name("history.sqlite3")


class Database:
    """The history, open. Use it in a `with` block; every method raises HistoryError (`history-unusable`).

    `moved_aside` says that what was there could not be read, and where it is now.
    """

    def __init__(self) -> None:
        """Open the history, or begin a new one."""
        self.file = history_file()
        self.moved_aside: Problem | None = None
        with self.told():
            try:
                self.connection = _open(self.file)
            except sqlite3.DatabaseError as error:
                if not _is_unreadable(error):
                    raise
                self.moved_aside = _move_aside(self.file)
                self.connection = _open(self.file)

    def __enter__(self) -> Self:
        """Return it, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; safe to repeat."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()

    @contextlib.contextmanager
    def written(self) -> Iterator[None]:
        """Write all of the block or nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A full disk has ended the transaction already.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
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

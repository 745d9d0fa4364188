"""The database file of the run history: opened, migrated, or moved aside if it is corrupt."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from harbor_agent.engine.history.lock import find_lock_file
from harbor_agent.errors import AgentError, ExitCode, Problem

try:
    import sqlite3
except ModuleNotFoundError:  # a Python that was built without it; nothing here uses it then
    _HAS_SQLITE = False
else:
    _HAS_SQLITE = True

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_BUSY_SECONDS = 10.0
# SQLite's extended codes have the primary one in their lowest byte.
_PRIMARY = 0xFF
# Each migrates the schema from the version that is its index to the next; they are never edited.
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
    (
        """
        CREATE TABLE config_map (
            number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
            server TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL,
            after TEXT NOT NULL, record_before TEXT NOT NULL, record_after TEXT NOT NULL, outcome TEXT,
            UNIQUE (run, namespace, name)
        ) STRICT
        """,
    ),
    # What persons applied to clusters; `namespaces` and `form` are JSON.
    (
        """
        CREATE TABLE secret_scope (
            number INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, registry TEXT NOT NULL, name TEXT NOT NULL,
            namespaces TEXT NOT NULL, form TEXT NOT NULL, username TEXT NOT NULL, run TEXT NOT NULL,
            applied TEXT NOT NULL
        ) STRICT
        """,
    ),
    # `place` distinguishes nodes of one name; "" is any, as earlier versions knew none.
    (
        "ALTER TABLE correction ADD COLUMN place TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE placed_quarantine (
            node TEXT NOT NULL, place TEXT NOT NULL, since TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL,
            owner TEXT, PRIMARY KEY (node, place)
        ) STRICT
        """,
        "INSERT INTO placed_quarantine SELECT node, '', since, path, reason, owner FROM quarantine",
        "DROP TABLE quarantine",
        "ALTER TABLE placed_quarantine RENAME TO quarantine",
    ),
    # `cluster` distinguishes ConfigMaps of one name; "" is any, as earlier versions knew none.
    ("ALTER TABLE config_map ADD COLUMN cluster TEXT NOT NULL DEFAULT ''",),
)


class HistoryError(AgentError):
    """An error of the history: it ends commands that read the history, and no run."""

    exit_code = ExitCode.USAGE


def find_history_file() -> Path:
    """Return the path of the history: $XDG_STATE_HOME/harbor-agent/history.sqlite3, by default below ~/.local/state."""
    return find_lock_file().with_name("history.sqlite3")


class Database:
    """The open history. Use it in a `with` block; every method raises HistoryError (`history-unusable`).

    `moved_aside` says that the file was corrupt, and where it is now.
    """

    def __init__(self) -> None:
        """Open the history, or create it."""
        self.file = find_history_file()
        self.moved_aside: Problem | None = None
        if not _HAS_SQLITE:
            raise HistoryError(_describe_missing_sqlite())
        with self.translate_errors():
            try:
                self.connection = _open(self.file)
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
                self.moved_aside = _move_aside(self.file)
                self.connection = _open(self.file)

    def __enter__(self) -> Self:
        """Return the open history."""
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
    def write_all_or_nothing(self) -> Iterator[None]:
        """Write everything in the block in one transaction, or nothing."""
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
    def translate_errors(self) -> Iterator[None]:
        """Raise errors of SQLite and of the system as HistoryError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(_describe_unusable(self.file, error)) from None


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
    """Migrate the schema to the current version; of several processes, one migrates and the others wait."""
    if _read_version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _read_version(connection)
    if version > len(_MIGRATIONS):
        connection.execute("ROLLBACK")
        raise sqlite3.NotSupportedError(
            f"it was written by a newer harbor-agent (schema {version}; this one supports {len(_MIGRATIONS)})"
        )
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")


def _read_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _move_aside(file: Path) -> Problem:
    """Rename the corrupt file, and the files that SQLite keeps beside it."""
    aside = file.with_name(f"{file.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + ending).rename(aside.with_name(aside.name + ending))
    return Problem(
        code="history-unusable",
        message=f"the run history is corrupt; moved it to {aside} and created a new one",
        hint="delete the old file when you no longer need it; nothing on the nodes depends on it",
    )


def _describe_missing_sqlite() -> Problem:
    return Problem(
        code="history-unusable",
        message=f"cannot use the run history: this Python ({sys.executable}) was built without SQLite",
        hint="install harbor-agent with a Python that can import sqlite3, or use the self-contained folder",
    )


def _describe_unusable(file: Path, error: Exception) -> Problem:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(
        code="history-unusable",
        message=f"cannot use the run history {file}: {reason}",
        hint="use the newer harbor-agent, or set XDG_STATE_HOME to another directory"
        if isinstance(error, sqlite3.NotSupportedError)
        else "free disk space or make the directory writable, or set XDG_STATE_HOME to another directory",
    )

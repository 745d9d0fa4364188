"""Names in the history for completion: read without creating, migrating or locking anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.history.database import find_history_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEWEST = 100
_RUNS = "SELECT id, kind, started, note FROM run ORDER BY number DESC LIMIT ?"
_NODES = "SELECT DISTINCT name FROM node WHERE run IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)"


def list_newest_runs() -> list[tuple[str, str]]:
    """Return the IDs of the newest runs, newest first, each with what it was. Raises sqlite3.Error, ImportError."""
    return [
        (str(run_id), " ".join(f"{kind} {started} {note}".split()))
        for run_id, kind, started, note in _read(_RUNS, _NEWEST)
    ]


def list_past_nodes() -> list[str]:
    """Return the names of the nodes in the newest runs. Raises sqlite3.Error, ImportError."""
    return [str(name) for (name,) in _read(_NODES, _NEWEST)]


def _read(query: str, limit: int) -> Sequence[tuple[object, ...]]:
    import sqlite3  # noqa: PLC0415 - some Pythons are built without it

    connection = sqlite3.connect(f"{find_history_file().as_uri()}?mode=ro", uri=True, timeout=0.2)
    try:
        return connection.execute(query, (limit,)).fetchall()
    finally:
        connection.close()

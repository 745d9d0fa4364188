"""The controller's memory of its runs: a cache, which nodes do not depend on.

Rows are ordered by a counter, since clocks go backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harbor_agent.engine.history.database import Database
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_ADD_RUN = """
    INSERT INTO run (id, kind, tool, started, who, options, config, config_digest, note, resumes, rolls_back)
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


class Store(Database):
    """The runs, in the order in which they began. Every method raises HistoryError (`history-unusable`)."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        """Open the history, or begin a new one."""
        super().__init__()
        self._bounds = bounds or Bounds()

    def add_run(self, run: PastRun) -> None:
        """Write down that a run begins, with its nodes; what is too old or too much goes."""
        values = (
            *(run.run_id, run.kind.value, run.tool, run.started, run.who, run.options, run.config),
            *(run.config_digest, run.note, run.resumes, run.rolls_back),
        )
        with self.told(), self.written():
            self.connection.execute(_ADD_RUN, values)
            self._write_nodes(run.run_id, run.nodes)
            self._prune()

    def write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        """Write down what became of nodes of a run that was begun."""
        with self.told(), self.written():
            self._write_nodes(run_id, nodes)

    def end_run(self, run_id: str, *, exit_code: int, halted: str | None) -> None:
        """Write down how a run ended, now."""
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        with self.told(), self.written():
            self.connection.execute(
                "UPDATE run SET ended = ?, exit_code = ?, halted = ? WHERE id = ?", (ended, exit_code, halted, run_id)
            )

    def runs(self) -> list[PastRun]:
        """Return all runs with their nodes, newest first."""
        with self.told():
            return self._runs("SELECT * FROM run ORDER BY number DESC")

    def runs_of(self, node: str) -> list[PastRun]:
        """Return the runs that this node was part of, newest first; each with this node only."""
        with self.told():
            return self._runs(_RUNS_OF_NODE, node, node=node)

    def last_run(self) -> PastRun | None:
        """Return the newest run with its nodes; None where there is none."""
        with self.told():
            return next(iter(self._runs("SELECT * FROM run ORDER BY number DESC LIMIT 1")), None)

    def run(self, run_id: str) -> PastRun | None:
        """Return one run with its nodes, in the order of its plan; None where it is not known."""
        with self.told():
            return next(iter(self._runs("SELECT * FROM run WHERE id = ?", run_id)), None)

    def _runs(self, query: str, *values: str, node: str | None = None) -> list[PastRun]:
        rows = self.connection.execute(query, values).fetchall()
        return [_run(row, self._nodes(row["number"], node)) for row in rows]

    def _nodes(self, number: int, node: str | None) -> tuple[PastNode, ...]:
        return tuple(_node(row) for row in self.connection.execute(_NODES_OF_RUN, (number, node, node)))

    def _write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        found = self.connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            return
        values = [(found["number"], *_values(node)) for node in nodes]
        self.connection.executemany(_WRITE_NODE, values)

    def _prune(self) -> None:
        bounds = self._bounds
        oldest = (datetime.now(UTC) - bounds.age).isoformat(timespec="seconds")
        self.connection.execute(_PRUNE, (bounds.runs, bounds.always, oldest, bounds.nodes))


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

"""The runs of this controller, in SQLite: a cache that nodes do not depend on.

Rows are ordered by a counter, because clocks can be set back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harbor_agent.engine.history.database import Database
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastConfigMap, PastNode, PastRun, RunKind

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
_WRITE_CONFIG_MAP = """
    INSERT INTO config_map
    (run, server, namespace, name, before, after, record_before, record_after, outcome, cluster)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, namespace, name) DO UPDATE SET outcome = excluded.outcome
"""
_CONFIG_MAPS_OF_RUN = "SELECT * FROM config_map WHERE run = ? ORDER BY number"
_LAST_CHANGE = """
    SELECT * FROM config_map WHERE namespace = ? AND name = ? AND cluster IN (?, '') AND outcome = 'changed'
    ORDER BY number DESC LIMIT 1
"""
_LAST_RUN_WITH = """
    SELECT * FROM run WHERE EXISTS (
        SELECT 1 FROM json_each(CASE WHEN json_valid(options) THEN options ELSE '{}' END, '$.selection.sources')
        WHERE value IN (SELECT value FROM json_each(?))
    ) ORDER BY number DESC LIMIT 1
"""
_PRUNE = """
    DELETE FROM run WHERE number NOT IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)
    OR number NOT IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)
    AND (started < ? OR number < (SELECT run FROM node ORDER BY number DESC LIMIT 1 OFFSET ?))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept: runs, the nodes of all runs together, and for how long.

    The newest `always` runs are kept regardless of their age: a clock that jumped ahead must not empty the history.
    """

    runs: int = 1000
    nodes: int = 200_000
    age: timedelta = timedelta(days=400)
    always: int = 50


class Store(Database):
    """The runs, in the order of their start. Every method raises HistoryError (`history-unusable`)."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        """Open the history, or create it."""
        super().__init__()
        self._bounds = bounds or Bounds()

    def add_run(self, run: PastRun) -> None:
        """Add a run with its nodes, and delete the runs that are out of bounds."""
        values = (
            *(run.run_id, run.kind.value, run.tool, run.started, run.who, run.options, run.config),
            *(run.config_digest, run.note, run.resumes, run.rolls_back),
        )
        with self.translate_errors(), self.write_all_or_nothing():
            self.connection.execute(_ADD_RUN, values)
            self._write_nodes(run.run_id, run.nodes)
            self._write_config_maps(run.run_id, run.config_maps)
            self._prune()

    def write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        """Write the results of nodes of a run."""
        with self.translate_errors(), self.write_all_or_nothing():
            self._write_nodes(run_id, nodes)

    def write_config_maps(self, run_id: str, config_maps: Sequence[PastConfigMap]) -> None:
        """Write the results of a run in the cluster's DNS."""
        with self.translate_errors(), self.write_all_or_nothing():
            self._write_config_maps(run_id, config_maps)

    def finish_run(self, run_id: str, *, exit_code: int, halted: str | None) -> None:
        """Write that the run ended now, and how."""
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        with self.translate_errors(), self.write_all_or_nothing():
            self.connection.execute(
                "UPDATE run SET ended = ?, exit_code = ?, halted = ? WHERE id = ?", (ended, exit_code, halted, run_id)
            )

    def list_runs(self) -> list[PastRun]:
        """Return all runs with their nodes, newest first."""
        with self.translate_errors():
            return self._fetch_runs("SELECT * FROM run ORDER BY number DESC")

    def list_runs_of(self, node: str) -> list[PastRun]:
        """Return the runs of this node, newest first, each with this node only."""
        with self.translate_errors():
            return self._fetch_runs(_RUNS_OF_NODE, node, node=node)

    def find_last_run(self, sources: Sequence[str]) -> PastRun | None:
        """Return the newest run with one of these inventories, by their absolute paths, None without any."""
        with self.translate_errors():
            return next(iter(self._fetch_runs(_LAST_RUN_WITH, json.dumps(sources))), None)

    def find_run(self, run_id: str) -> PastRun | None:
        """Return one run with its nodes in the order of its plan, None if it is unknown."""
        with self.translate_errors():
            return next(iter(self._fetch_runs("SELECT * FROM run WHERE id = ?", run_id)), None)

    def find_last_change(self, cluster: str, namespace: str, name: str) -> PastConfigMap | None:
        """Return the newest change of a cluster's ConfigMap, also by a run whose cluster is not known, or None."""
        with self.translate_errors():
            rows = self.connection.execute(_LAST_CHANGE, (namespace, name, cluster)).fetchall()
        return next((_parse_config_map(row) for row in rows), None)

    def _fetch_runs(self, query: str, *values: str, node: str | None = None) -> list[PastRun]:
        rows = self.connection.execute(query, values).fetchall()
        return [
            _parse_run(row, self._fetch_nodes(row["number"], node), self._fetch_config_maps(row["number"]))
            for row in rows
        ]

    def _fetch_config_maps(self, number: int) -> tuple[PastConfigMap, ...]:
        return tuple(_parse_config_map(row) for row in self.connection.execute(_CONFIG_MAPS_OF_RUN, (number,)))

    def _fetch_nodes(self, number: int, node: str | None) -> tuple[PastNode, ...]:
        return tuple(_parse_node(row) for row in self.connection.execute(_NODES_OF_RUN, (number, node, node)))

    def _write_nodes(self, run_id: str, nodes: Sequence[PastNode]) -> None:
        found = self.connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            return
        values = [(found["number"], *_list_values(node)) for node in nodes]
        self.connection.executemany(_WRITE_NODE, values)

    def _write_config_maps(self, run_id: str, config_maps: Sequence[PastConfigMap]) -> None:
        found = self.connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            return
        values = [
            (
                *(found["number"], one.server, one.namespace, one.name, one.before, one.after),
                *(one.record_before, one.record_after, one.outcome.value if one.outcome else None, one.cluster),
            )
            for one in config_maps
        ]
        self.connection.executemany(_WRITE_CONFIG_MAP, values)

    def _prune(self) -> None:
        bounds = self._bounds
        oldest = (datetime.now(UTC) - bounds.age).isoformat(timespec="seconds")
        self.connection.execute(_PRUNE, (bounds.runs, bounds.always, oldest, bounds.nodes))


def _list_values(node: PastNode) -> tuple[object, ...]:
    outcome = node.outcome.value if node.outcome else None
    facts = (node.node, node.policy_digest, outcome, node.action, node.transaction, node.verified)
    return (*facts, node.code, node.reason, node.seconds)


def _parse_run(row: sqlite3.Row, nodes: tuple[PastNode, ...], config_maps: tuple[PastConfigMap, ...]) -> PastRun:
    own = {name: row[name] for name in row.keys() if name not in {"number", "id", "kind"}}  # noqa: SIM118 - no mapping
    return PastRun(run_id=row["id"], kind=RunKind(row["kind"]), nodes=nodes, config_maps=config_maps, **own)


def _parse_config_map(row: sqlite3.Row) -> PastConfigMap:
    own = {name: row[name] for name in row.keys() if name not in {"number", "run", "outcome"}}  # noqa: SIM118 - no mapping
    return PastConfigMap(outcome=Outcome(row["outcome"]) if row["outcome"] else None, **own)


def _parse_node(row: sqlite3.Row) -> PastNode:
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

"""Queries of the run history: the runs, how they ended, and the nodes that failed in the last one."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.history.lock import list_lock_states
from harbor_agent.errors import UsageError
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.engine.history.runs import Store
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.model.runs import PastRun

_FAILED = "@failed"
_COLON = re.compile(r":(?![^\[]*\])")


def load_runs(node: str | None = None) -> list[PastRun]:
    """Return the runs, newest first; with `node` the runs of that node, each with that node only.

    Raises HistoryError if the history cannot be used, UsageError (`history-node-unknown`) for an unknown node.
    """
    with _open_history() as store:
        if node is None:
            return store.list_runs()
        runs = store.list_runs_of(node)
    if not runs:
        raise UsageError.of(
            "history-node-unknown", f"no run in the history has a node '{node}'", "use its name in the inventory"
        )
    return runs


def load_run(run_id: str) -> PastRun:
    """Return one run. Raises HistoryError, and UsageError (`run-unknown`) if it is not in the history."""
    with _open_history() as store:
        run = store.find_run(run_id)
    if run is None:
        message = f"run '{run_id}' is not in the history of this controller"
        raise UsageError.of("run-unknown", message, "list the runs with harbor-agent history")
    return run


def expand_failed_nodes(selection: NodeSelection) -> NodeSelection:
    """Replace `@failed` in the limit by the nodes that failed or were not reached in the last run of this inventory.

    Another inventory may have other nodes of these names. If a file of that name exists in this directory, `@failed` is
    that file, as in Ansible. Raises HistoryError, and UsageError if there was no such run yet or no node failed.
    """
    limit = selection.limit
    if limit is None or _FAILED not in limit or Path(_FAILED[1:]).exists():
        return selection
    # As Ansible splits it, except IPv6 addresses, which are not written between colons.
    patterns = limit.split(",") if "," in limit else _COLON.split(limit)
    if _FAILED not in patterns:
        return selection
    sources = selection.make_absolute().sources
    with _open_history() as store:
        run = store.find_last_run(sources)
    if run is None:
        inventory = " or ".join(sources) or "--transport local"
        message = f"--limit @failed: the history of this controller has no run with {inventory} yet"
        raise UsageError.of("limit-matches-nothing", message, "name the nodes, or the inventory of the earlier run")
    names = [node.node for node in run.nodes if not node.is_done and node.outcome is not Outcome.SKIPPED]
    if not names:
        message = f"--limit @failed: no node failed in the last run, {run.run_id}"
        raise UsageError.of("limit-matches-nothing", message, "leave out --limit to select all nodes")
    expanded = ",".join(",".join(names) if pattern == _FAILED else pattern for pattern in patterns)
    return replace(selection, limit=expanded)


class RunState(StrEnum):
    """Whether a run in the history has ended."""

    ENDED = "ended"
    UNDER_WAY = "under-way"
    BROKEN_OFF = "broken-off"


def find_state(run: PastRun) -> RunState:
    """Return the state of the run: without an end and without the lock, it was killed."""
    if run.ended is not None:
        return RunState.ENDED
    is_holder = any(
        lock.held and lock.holder is not None and lock.holder.run_id == run.run_id for lock in list_lock_states()
    )
    return RunState.UNDER_WAY if is_holder else RunState.BROKEN_OFF


def _open_history() -> Store:
    from harbor_agent.engine.history.runs import Store  # noqa: PLC0415 - SQLite is not needed by commands that do not ask for it

    return Store()

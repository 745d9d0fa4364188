"""Questions to the run history: which runs there were, how they ended, and which nodes failed in the last one."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.history.lock import lock_state
from harbor_agent.errors import UsageError
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.engine.history.runs import Store
    from harbor_agent.model.runs import PastRun

_FAILED = "@failed"
_COLON = re.compile(r":(?![^\[]*\])")


def load_runs(node: str | None = None) -> list[PastRun]:
    """Return the runs, newest first; with `node` those that it was part of, each with that node only.

    Raises HistoryError where the history cannot be used, UsageError (`history-node-unknown`) for an unknown node.
    """
    with _opened() as store:
        if node is None:
            return store.runs()
        runs = store.runs_of(node)
    if not runs:
        raise UsageError.of(
            "history-node-unknown", f"no run knows a node {node}", "nodes are named as in the inventory"
        )
    return runs


def load_run(run_id: str) -> PastRun:
    """Return one run. Raises HistoryError, and UsageError (`run-unknown`) for one that is not in the history."""
    with _opened() as store:
        run = store.run(run_id)
    if run is None:
        message = f"the history of this controller knows no run {run_id}"
        raise UsageError.of("run-unknown", message, "harbor-agent history lists the runs")
    return run


def with_failed(limit: str | None) -> str | None:
    """Return a limit in which `@failed` stands for the nodes that failed in the last run, or that it did not get to.

    Where there is a file of that name here, it is that file. Raises HistoryError, and UsageError where there is no run
    yet or none failed.
    """
    if limit is None or _FAILED not in limit or Path(_FAILED[1:]).exists():
        return limit
    # As Ansible does it, but for IPv6 addresses, which nobody writes between colons.
    patterns = limit.split(",") if "," in limit else _COLON.split(limit)
    if _FAILED not in patterns:
        return limit
    with _opened() as store:
        run = store.last_run()
    if run is None:
        raise UsageError.of("limit-matches-nothing", "--limit @failed: the history of this controller knows no run yet")
    names = [node.node for node in run.nodes if not node.is_done and node.outcome is not Outcome.SKIPPED]
    if not names:
        message = f"--limit @failed: no node failed in the last run, {run.run_id}"
        raise UsageError.of("limit-matches-nothing", message, "leave --limit out to see all nodes")
    return ",".join(",".join(names) if pattern == _FAILED else pattern for pattern in patterns)


class RunState(StrEnum):
    """How a run in the history stands."""

    ENDED = "ended"
    UNDER_WAY = "under-way"
    BROKEN_OFF = "broken-off"


def state_of(run: PastRun) -> RunState:
    """Return how the run stands: what has no end and does not hold the lock did not end by itself."""
    if run.ended is not None:
        return RunState.ENDED
    lock = lock_state()
    is_holder = lock.held and lock.holder is not None and lock.holder.run_id == run.run_id
    return RunState.UNDER_WAY if is_holder else RunState.BROKEN_OFF


def _opened() -> Store:
    from harbor_agent.engine.history.runs import Store  # noqa: PLC0415 - SQLite is not needed by commands that do not ask for it

    return Store()

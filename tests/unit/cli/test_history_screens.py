"""The tables of past runs on terminals of several widths: whole words, aligned, and the least important left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harbor_agent.engine.history.runs import Store
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind
from harbor_agent.views.text.layout.cells import measure_text
from tests.screen import assert_snapshot, show

SCREENS = Path(__file__).parent / "screens"
PROGRAM = (sys.executable, "-m", "harbor_agent.cli", "history")
REFUSED = "the registry 192.168.0.99 does not answer on this node, and its restart would stop 14 containers"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A directory with the history of three runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Store() as store:
        add_run(store, "20261124T060906Z-fe14", RunKind.APPLY, "harbor", exit_code=0)
        add_run(store, "20261125T070000Z-0b1c", RunKind.CORRECT, "", exit_code=5, reason=REFUSED)
        add_run(
            store, "20261126T081500Z-77aa", RunKind.ROLLBACK, "回滚到上周的配置，见变更单 CHG-20391", reason="重启前"
        )
    return str(tmp_path)


def add_run(
    store: Store, run_id: str, kind: RunKind, note: str, *, exit_code: int | None = None, reason: str = ""
) -> None:
    outcomes = (Outcome.REFUSED if reason else Outcome.CHANGED, Outcome.CHANGED, Outcome.UNCHANGED)
    nodes = tuple(
        PastNode(node=f"node{number}", policy_digest="d", outcome=outcome, verified=not reason, reason=reason)
        for number, outcome in enumerate(outcomes, start=1)
    )
    started = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}:{run_id[13:15]}+00:00"
    facts = {"tool": "harbor-agent 0", "started": started, "who": "ops@bastion-1", "options": "{}", "note": note}
    store.add_run(PastRun(run_id=run_id, kind=kind, nodes=nodes, **facts))  # type: ignore[arg-type]
    if exit_code is not None:
        store.finish_run(run_id, exit_code=exit_code, halted=None)


@pytest.mark.parametrize("columns", [80, 120, 200])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("name", "arguments"), [("runs", ()), ("node", ("node", "node1"))])
def test_a_table_fits_its_terminal(
    state: str, name: str, arguments: tuple[str, ...], language: str, columns: int
) -> None:
    shown = show((*PROGRAM, *arguments, "--lang", language), columns, env={"XDG_STATE_HOME": state})
    assert shown.code == 0
    assert_snapshot(shown.text, SCREENS / f"history-{name}-{language}-{columns}.txt")
    assert shown.list_styled(bold=True)[0].startswith("RUN" if language == "en" else "运")


def test_elsewhere_a_table_is_whole(state: str) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": state, "COLUMNS": "40"}
    done = subprocess.run(PROGRAM, capture_output=True, text=True, check=True, timeout=60, env=environment)
    header, last, *_ = done.stdout.splitlines()
    assert header.split() == ["RUN", "KIND", "STARTED", "WHO", "RESULT", "NODES", "NOTE"]
    assert last.endswith("回滚到上周的配置，见变更单 CHG-20391")
    assert measure_text(last[: last.index("回")]) == header.index("NOTE")

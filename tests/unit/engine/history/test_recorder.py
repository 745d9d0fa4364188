"""A run that cannot be recorded continues, with one warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.history.query import load_runs
from harbor_agent.engine.history.recorder import RunStart, record_run
from harbor_agent.engine.request.request import NodeSelection, RunRequest
from harbor_agent.errors import ExitCode
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runs import RunKind

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.engine.events import Event

RESULT = NodeResult(node="node1", outcome=Outcome.CHANGED, action=Action.RELOAD)
NOT_UTF_8 = b"/srv/caf\xe9/hosts".decode("utf-8", "surrogateescape")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    "run_request",
    [RunRequest(selection=NodeSelection(sources=(NOT_UTF_8,))), RunRequest(config=NOT_UTF_8)],
    ids=["inventory", "settings"],
)
def test_a_path_that_is_not_utf_8_does_not_stop_a_run(run_request: RunRequest) -> None:
    told: list[Event] = []
    start = RunStart(run_id="run-1", kind=RunKind.APPLY, request=run_request, nodes=())
    with record_run(start, told.append) as recorder:
        recorder(NodeFinished(result=RESULT))
        recorder.end([RESULT], ExitCode.DONE, None)
    assert [problem.code for problem in recorder.warnings] == ["history-unusable"]
    assert "not UTF-8" in recorder.warnings[0].message
    assert told == [NodeFinished(result=RESULT)]
    assert load_runs() == []


def test_a_node_whose_name_is_not_utf_8_ends_the_history_and_not_the_run() -> None:
    start = RunStart(run_id="run-1", kind=RunKind.APPLY, request=RunRequest(), nodes=())
    odd = NodeResult(node=NOT_UTF_8, outcome=Outcome.CHANGED, action=Action.RELOAD)
    with record_run(start, lambda _: None) as recorder:
        recorder(NodeFinished(result=odd))
        recorder.end([odd], ExitCode.DONE, None)
    assert [problem.code for problem in recorder.warnings] == ["history-unusable"]
    assert [run.run_id for run in load_runs()] == ["run-1"]


def test_an_interrupted_run_has_recorded_its_unchanged_nodes() -> None:
    start = RunStart(run_id="run-1", kind=RunKind.APPLY, request=RunRequest(), nodes=())

    def break_off() -> None:
        with record_run(start, lambda _: None) as recorder:
            recorder(NodeFinished(result=NodeResult(node="before", outcome=Outcome.UNCHANGED)))
            recorder(NodeFinished(result=RESULT))
            assert {node.node for node in load_runs()[0].nodes} == {"before", "node1"}
            recorder(NodeFinished(result=NodeResult(node="behind", outcome=Outcome.UNCHANGED)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert {node.node: node.outcome for node in load_runs()[0].nodes} == {
        "before": Outcome.UNCHANGED,
        "node1": Outcome.CHANGED,
        "behind": Outcome.UNCHANGED,
    }

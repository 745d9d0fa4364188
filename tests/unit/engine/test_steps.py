"""The steps of a node: from the lines that its transaction prints, and the time of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeFinished, NodeStep, Phase
from harbor_agent.engine.steps import StepClock, follow_steps
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome, Step

if TYPE_CHECKING:
    from harbor_agent.engine.events import Event

JOURNAL = "begun preflight prepared armed swapping-1 swapped-1 swapping-12 swapped-12 activating health committing"


def follow(*lines: bytes, action: Action = Action.RESTART) -> list[Step]:
    events: list[Event] = []
    take = follow_steps(events.append, "node1", action)
    for line in lines:
        take(line)
    return [event.step for event in events if isinstance(event, NodeStep) and event.node == "node1"]


def announce(words: str) -> list[bytes]:
    return [f"harbor-agent/step/1 {word}".encode() for word in words.split()]


def test_each_step_of_a_transaction_is_reported_once_in_its_turn() -> None:
    steps = [Step.VALIDATE, Step.WRITE, Step.RESTART, Step.HEALTH, Step.COMMIT]
    assert follow(*announce(JOURNAL)) == steps
    assert follow(*announce(JOURNAL), action=Action.RELOAD)[2] is Step.RELOAD


def test_a_step_that_was_missed_is_skipped_and_a_failed_change_rolls_back() -> None:
    assert follow(*announce("preflight health restoring restarting rolled_back")) == [
        Step.VALIDATE,
        Step.HEALTH,
        Step.ROLL_BACK,
    ]


def test_other_lines_and_words_are_no_steps() -> None:
    assert (
        follow(
            b"",
            b"Welcome to node1",
            b"harbor-agent/step/1 ",
            b"harbor-agent/step/1 hea",
            b"harbor-agent/step/1 health and more",
            b"harbor-agent/step/2 health",
            b"harbor-agent/transaction/1 begin",
            b"\xff\xfe" * 1000,
        )
        == []
    )


def test_the_clock_passes_everything_on_and_adds_the_steps_of_each_node() -> None:
    heard: list[Event] = []
    clock = StepClock(heard.append)
    result = NodeResult(node="node1", outcome=Outcome.CHANGED)
    events = [
        Phase(name="change node1, node2", total=2),
        *(NodeStep(node="node1", step=step) for step in (Step.WRITE, Step.RESTART, Step.WAIT, Step.PULL, Step.WRITE)),
        NodeStep(node="node2", step=Step.DRAIN),
        NodeFinished(result=result),
        NodeStep(node="node1", step=Step.WAIT),
    ]
    for event in events:
        clock(event)
    first, second, unseen = clock.add_times(
        [result, NodeResult(node="node2", outcome=Outcome.UNKNOWN), NodeResult(node="node3", outcome=Outcome.SKIPPED)]
    )
    assert heard == events
    assert [one.step for one in first.steps] == [Step.WRITE, Step.RESTART, Step.PULL]
    assert all(one.seconds >= 0 for one in first.steps)
    assert (second.steps, unseen.steps) == ((), ())

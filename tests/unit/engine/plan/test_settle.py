"""A change that a killed run left under way is waited for, within a bound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan import settle
from harbor_agent.engine.plan.settle import wait_for_transactions
from harbor_agent.model.inventory import Node
from harbor_agent.transport.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.events import Event
    from harbor_agent.transport.protocol import Job, Lost

NODE = Node(name="node1", address="192.0.2.1")


class Answering:
    """A transport to a node that answers these phases in turn, and the last one for ever."""

    def __init__(self, *phases: str, code: str = "-", step: str = "-") -> None:
        self._phases = list(phases)
        self._code, self._step = code, step
        self.polls = 0

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        for job in jobs:
            self.polls += 1
            phase = self._phases.pop(0) if len(self._phases) > 1 else self._phases[0]
            frame = f"transaction run\nphase {phase}\nstep {self._step}\ncode {self._code}\ndetail -\n"
            text = f"\nharbor-agent/transaction/1 begin\n{frame}harbor-agent/transaction/1 end\n"
            yield Completed(job=job, rc=0, stdout=text.encode(), stderr=b"", seconds=0.1)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "_POLL_SECONDS", 0.01)


def wait(transport: Answering, seconds: float = 30) -> tuple[list[Event], float]:
    events: list[Event] = []
    started = time.monotonic()
    wait_for_transactions(transport, [(NODE, "run-1")], seconds, events.append)
    return events, time.monotonic() - started


def test_it_is_polled_until_it_has_ended_and_named_once() -> None:
    transport = Answering("running", "running", "committed")
    events, _ = wait(transport)
    assert transport.polls == 3
    (event,) = events
    assert "node1 (run run-1)" in str(event)


def test_the_wait_has_a_bound() -> None:
    _, seconds = wait(Answering("running"), seconds=0.2)
    assert 0.2 <= seconds < 10


def test_a_transaction_that_ends_only_at_the_next_boot_is_not_waited_for() -> None:
    transport = Answering("running", code="transaction-interrupted", step="swapped-1")
    assert wait(transport)[0] == []
    assert transport.polls == 1

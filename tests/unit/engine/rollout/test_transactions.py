"""A transaction whose connection was lost is polled until it has ended or a stop is requested."""

from __future__ import annotations

import signal
import time
from threading import Event
from typing import TYPE_CHECKING

from harbor_agent.engine.rollout.stop import StopRequest
from harbor_agent.engine.rollout.transactions import TransactionMonitor, begin_transactions
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Activation, Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.state import Record
from harbor_agent.transport.protocol import Completed, Lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine import events
    from harbor_agent.engine.rollout.transactions import TransactionResult
    from harbor_agent.transport.protocol import Job

NODES = [Node(name=f"node{number}", address=f"192.0.2.{number}") for number in range(1, 8)]


class Broken:
    """A transport whose connections break in every transaction; asked afterwards, nodes answer `answers` in turn.

    An answer is a phase; where there is none left, nothing ever comes back.
    """

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self._asked = False

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        begins, self._asked = not self._asked, True
        phase = None if begins else next(self._answers, None)
        if not begins and phase is None:
            Event().wait(60)
        for job in jobs:
            if phase is None:
                problem = Problem(code="connection-lost", message=f"{job.node.name}: the connection was lost")
                yield Lost(job=job, problem=problem, started=True, seconds=1.0)
            else:
                frame = (
                    f"\nharbor-agent/transaction/1 begin\ntransaction run\nphase {phase}\nstep -\ncode -\ndetail -\n"
                )
                stdout = f"{frame}harbor-agent/transaction/1 end\n".encode()
                yield Completed(job=job, rc=0, stdout=stdout, stderr=b"", seconds=1.0)


def follow(transport: Broken, stop: StopRequest, told: list[events.Event]) -> list[TransactionResult]:
    plans = [
        (
            node,
            Plan(node=node.name, reason="", activation=Activation(runtime="docker", unit="docker.service")),
            Record(),
        )
        for node in NODES
    ]
    return list(
        begin_transactions(
            transport, plans, "run", TransactionMonitor(health_deadline=10, listener=told.append, stop=stop)
        )
    )


def test_a_running_transaction_is_polled_until_it_has_ended() -> None:
    ended = follow(Broken("running", "committed"), StopRequest(), [])
    assert {one.node.name: one.outcome for one in ended} == {node.name: Outcome.CHANGED for node in NODES}


def test_an_unknown_transaction_is_polled_twice() -> None:
    assert {one.outcome for one in follow(Broken("none", "none"), StopRequest(), [])} == {Outcome.FAILED}
    # It was on its way in.
    assert {one.outcome for one in follow(Broken("none", "committed"), StopRequest(), [])} == {Outcome.CHANGED}


def test_a_stop_request_ends_the_polling_at_once_with_the_last_report() -> None:
    told: list[events.Event] = []
    stop, begun = StopRequest(), time.monotonic()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.request(ExitCode.INTERRUPTED))
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        ended = follow(Broken("running"), stop, told)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 15
    assert {one.outcome for one in ended} == {Outcome.UNKNOWN}
    problem = ended[0].problem
    assert problem is not None
    assert problem.code == "transaction-unknown"
    assert problem.message.endswith("last report of the node: the transaction is still running")
    assert "node1, node2, node3, node4, node5 and 2 more" in str(told[0])

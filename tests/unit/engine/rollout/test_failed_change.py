"""A change that a pull shows as failed is rolled back; a node where that fails reports the reason and its losses."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeStep, Phase, Wave
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.rollout.context import RolloutContext
from harbor_agent.engine.rollout.waves import roll_out
from harbor_agent.model.address import Address
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.model.policy import Policy, Registry, Rollout
from harbor_agent.model.result import Outcome, Step
from harbor_agent.transport.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.events import Event, Listener
    from harbor_agent.model.result import NodeResult
    from harbor_agent.transport.protocol import Job, Lost

IMAGE = "10.99.0.1:5000/p/i:1"
DENIED = "pull-insecure-refused"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode() if text else "-"


def report(phase: str, code: str = "-", detail: str = "", lost: str = "") -> str:
    words = f"transaction run\nphase {phase}\nstep health\ncode {code}\ndetail {encoded(detail)}\n"
    told = "".join(f"lost {name}\n" for name in lost.split())
    return f"\nharbor-agent/transaction/1 begin\n{words}{told}harbor-agent/transaction/1 end\n"


class Denying:
    """A transport to nodes that commit, and cannot pull afterwards; asked to take it back they print `answer`."""

    def __init__(self, answer: str, *, lost_at_first: str = "") -> None:
        self._answers = {
            "begin": report("committed", lost=lost_at_first),
            "rollback": answer,
            IMAGE: f"\nharbor-agent/pull/2 begin\nimage {IMAGE}\nstatus 1\nseconds 60\noutput "
            f"{encoded('server gave HTTP response to HTTPS client')}\nharbor-agent/pull/2 end\n",
        }

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        for job in jobs:
            job.on_start()
            answer = self._answers[job.program.arguments[0]].encode()
            yield Completed(job=job, rc=0, stdout=answer, stderr=b"", seconds=1.0)


def change(transport: Denying, listener: Listener = lambda _: None) -> NodeResult:
    registry = Registry(address=Address(host="10.99.0.1", port=5000), verify_image="p/i:1")
    planned = PlannedNode(
        node=Node(name="node1", address="192.0.2.1"),
        policy=Policy(registries=(registry,)),
        outcome=Outcome.PENDING,
        decision=Plan(
            node="node1",
            reason="",
            activation=Activation(runtime="docker", unit="docker.service", action=Action.RESTART),
        ),
        reason="it is not trusted",
    )
    run = RolloutContext(run_id="run", transport=transport, rollout=Rollout(), credentials={}, listener=listener)
    (result,) = roll_out(run, [planned]).results
    return result


def test_a_rolled_back_node_reports_the_failed_pull() -> None:
    result = change(Denying(report("rolled_back", "rollback-requested")))
    assert result.outcome is Outcome.ROLLED_BACK
    assert result.problem
    assert result.problem.code == DENIED
    assert "rollback:" not in result.reason


def test_a_failed_rollback_reports_its_own_reason_and_hint() -> None:
    result = change(Denying(report("rollback_failed", "restore-failed", "daemon.json is not as it was")))
    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert result.problem
    assert result.problem.code == "restore-failed"
    assert "harbor-agent explain rollback-failed" in result.problem.hint
    denied, _, undone = result.reason.partition("; rollback: ")
    assert "gave HTTP response" in denied
    assert "daemon.json is not as it was" in undone


def test_a_node_that_keeps_an_edited_change_reports_it() -> None:
    edited = "/etc/docker/daemon.json was changed after the transaction"
    result = change(Denying(report("committed", "plan-stale", edited)))
    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert result.problem
    assert result.problem.code == "plan-stale"
    assert edited in result.reason


def test_containers_lost_in_the_rollback_are_reported_with_those_of_the_change() -> None:
    answer = report("rolled_back", "rollback-requested", lost="first second")
    result = change(Denying(answer, lost_at_first="first"))
    assert result.containers_lost == ("first", "second")
    assert "no longer running: second" in result.reason


def test_each_step_of_a_node_is_reported_in_its_turn() -> None:
    events: list[Event] = []
    change(Denying(report("rolled_back", "rollback-requested")), events.append)
    assert events[0] == Phase(name="change node1", total=1, wave=Wave(number=1, total=1))
    steps = [event.step for event in events if isinstance(event, NodeStep)]
    assert steps == [Step.CHANGE_AND_RESTART, Step.WAIT, Step.PULL, Step.WAIT, Step.ROLL_BACK, Step.WAIT]

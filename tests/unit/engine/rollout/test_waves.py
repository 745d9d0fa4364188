"""When a rollout halts, and what verify reports of nodes that it cannot verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.exit_codes import compute_run_exit_code
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.rollout.context import RolloutContext
from harbor_agent.engine.rollout.waves import roll_out, verify_nodes
from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.model.policy import Policy, Rollout
from harbor_agent.model.result import Outcome
from harbor_agent.transport.protocol import Completed
from harbor_agent.views.text.run import failures_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.events import Event
    from harbor_agent.engine.rollout.waves import RolloutResult
    from harbor_agent.errors import ExitCode
    from harbor_agent.transport.protocol import Job, Lost

REFUSED = (
    "\nharbor-agent/transaction/1 begin\ntransaction run\nphase refused\nstep preflight\ncode file-changed\n"
    "detail -\nharbor-agent/transaction/1 end\n"
)


class Refusing:
    """A transport to nodes that refuse every transaction."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        for job in jobs:
            yield Completed(job=job, rc=0, stdout=REFUSED.encode(), stderr=b"", seconds=1.0)


def planned(name: str, outcome: Outcome = Outcome.PENDING, problem: Problem | None = None) -> PlannedNode:
    activation = Activation(runtime="docker", unit="docker.service", action=Action.RESTART)
    return PlannedNode(
        node=Node(name=name, address="192.0.2.1"),
        policy=Policy(registries=()),
        outcome=outcome,
        decision=None if problem else Plan(node=name, reason="it is missing", activation=activation),
        problem=problem,
        reason=problem.message if problem else "it is missing",
    )


def context(events: list[Event]) -> RolloutContext:
    return RolloutContext(run_id="run", transport=Refusing(), rollout=Rollout(), credentials={}, listener=events.append)


def exit_code(rollout: RolloutResult) -> ExitCode:
    return compute_run_exit_code(rollout.results, None, halted=rollout.halted is not None)


def test_a_run_that_leaves_no_node_untouched_has_not_halted() -> None:
    rollout = roll_out(context([]), [planned("node1")])
    assert (rollout.halted, rollout.results[0].outcome, exit_code(rollout)) == (None, Outcome.REFUSED, 5)


def test_a_run_that_leaves_a_node_untouched_has_halted() -> None:
    rollout = roll_out(context([]), [planned("node1"), planned("node2"), planned("node3")])
    assert rollout.halted == "1 failed, and rollout.max_failed is 0"
    assert [result.outcome for result in rollout.results] == [Outcome.REFUSED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert exit_code(rollout) == 7


def test_verify_reports_every_node_that_it_cannot_verify() -> None:
    events: list[Event] = []
    down = Problem(code="connection-failed", message="node2: the connection failed")
    rollout = verify_nodes(context(events), [planned("node1"), planned("node2", Outcome.UNREACHABLE, down)])
    assert [event.result for event in events if isinstance(event, NodeFinished)] == list(rollout.results)
    assert [(result.outcome, result.reason) for result in rollout.results] == [
        (Outcome.FAILED, "not configured, so nothing was pulled; apply would change the node: it is missing"),
        (Outcome.UNREACHABLE, down.message),
    ]
    assert [result.verified for result in rollout.results] == [None, None], "nothing was pulled"
    assert "pull failed" not in failures_text(rollout.results)

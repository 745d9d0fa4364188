"""Take up a run that halted or was killed: what it asked for comes from the history, and only what is left is done."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.history.query import RunState, find_state, load_run
from harbor_agent.engine.plan.nodes import refuse_node
from harbor_agent.engine.plan.run_plan import plan_run, require_drain
from harbor_agent.engine.request.request import decode_request
from harbor_agent.errors import LockedError, Problem, UsageError
from harbor_agent.model.result import Outcome, TransactionPhase
from harbor_agent.model.runs import RunKind
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Rollout
    from harbor_agent.model.result import TransactionReport
    from harbor_agent.model.runs import PastNode, PastRun
    from harbor_agent.transport.protocol import Transport

# Two deadlines of a daemon, which is as long as a node may take to end a transaction by itself.
_SETTLE_SECONDS = 240.0
_ASK_EVERY = 2.0
_STATUS_TIMEOUT = 20.0
_NOTHING_CHANGED = frozenset({"begun", "preflight", "prepared"})
_NO_END = frozenset({None, Outcome.UNKNOWN})
_AGAIN = {
    RunKind.ROLLBACK: "run harbor-agent rollback again: what went back already is left alone",
    RunKind.CORRECT: "run harbor-agent drift --correct again: it looks at the nodes first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """A node in the newest of the runs that it was part of, from the first to the one that is taken up."""

    run_id: str
    node: PastNode


def resume_run(run_id: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Look at the nodes that are not done in a run, and plan them as it was asked to.

    Of `overrides` only the password and the note count. A node for which something else is wanted than then is
    refused. Raises UsageError for a run that is not known, complete or no apply, LockedError for one under way.
    """
    run = load_run(run_id)
    _require_resumable(run)
    past = _merged(run)
    left = {name: one for name, one in past.items() if not one.node.is_done}
    done = len(past) - len(left)
    listener(Message(text=f"{done} of the {len(past)} nodes of {run_id} are done and left alone"))

    def choose(transport: Transport, nodes: Sequence[Node]) -> Sequence[Node]:
        chosen = [node for node in nodes if node.name in left]
        _settle(transport, chosen, left, listener)
        return chosen

    run_plan = plan_run(_asked(run, overrides), listener, choose)
    if run_plan.request.drain:
        run_plan = require_drain(run_plan)
    present = {planned.node.name for planned in run_plan.nodes}
    return replace(
        run_plan,
        nodes=tuple(enforce_past_policy(planned, left[planned.node.name].node) for planned in run_plan.nodes),
        general=replace(run_plan.general, rollout=_rollout(run_plan.general.rollout, past)),
        warnings=(*run_plan.warnings, *_gone(name for name in left if name not in present)),
        resumes=run_id,
    )


def _require_resumable(run: PastRun) -> None:
    if run.kind is not RunKind.APPLY:
        message = f"{run.run_id} is no apply but a {run.kind.value}"
        raise UsageError.of("run-not-resumable", message, _AGAIN[run.kind])
    if find_state(run) is RunState.UNDER_WAY:
        message = f"{run.run_id} is under way: {run.who}, since {run.started}"
        raise LockedError.of("run-locked", message, "wait for its end; harbor-agent lock show tells who holds it")
    if run.exit_code == 0:
        message = f"{run.run_id} is complete: nothing of it is left to do"
        raise UsageError.of("run-complete", message, "harbor-agent drift tells whether the nodes are still so")


def _merged(run: PastRun) -> dict[str, _Past]:
    """Return the nodes of the run and of those that it took up itself; what came later counts."""
    earlier: dict[str, _Past] = {}
    if run.resumes:
        try:
            earlier = _merged(load_run(run.resumes))
        except UsageError:
            # It was too old to be kept; what was left then is in the run itself.
            earlier = {}
    return earlier | {node.node: _Past(run_id=run.run_id, node=node) for node in run.nodes}


def _asked(run: PastRun, overrides: RunRequest) -> RunRequest:
    try:
        then = decode_request(run.options)
    except ValueError as error:
        message = f"what {run.run_id} was asked for cannot be read: {error}"
        raise UsageError.of("run-not-resumable", message, "run it again with its options") from None
    flags = replace(then.flags, password=overrides.flags.password)
    return replace(then, flags=flags, note=overrides.note or then.note)


def _settle(transport: Transport, nodes: Sequence[Node], past: Mapping[str, _Past], listener: Listener) -> None:
    """Wait until the run's transactions are over on nodes whose end is not known.

    A node that knows nothing of it is asked once more: the program may still be on its way in.
    """
    open_ = {node.name: node for node in nodes if past[node.name].node.outcome in _NO_END}
    deadline = time.monotonic() + _SETTLE_SECONDS
    knew_nothing: set[str] = set()
    told: set[str] = set()
    while open_ and time.monotonic() < deadline:
        reports = _reports(transport, list(open_.values()), past)
        busy = {name for name, report in reports.items() if _is_under_way(report)}
        silent = {name for name, report in reports.items() if report.phase is TransactionPhase.NONE}
        open_ = {name: node for name, node in open_.items() if name in busy | (silent - knew_nothing)}
        knew_nothing |= silent
        if busy - told:
            told |= busy
            listener(Message(text=f"waiting for what the run began on {', '.join(sorted(busy))}; it ends by itself"))
        if open_:
            time.sleep(_ASK_EVERY)


def _reports(transport: Transport, nodes: Sequence[Node], past: Mapping[str, _Past]) -> dict[str, TransactionReport]:
    jobs = [
        Job(node=node, program=wire.status_program(past[node.name].run_id), timeout=_STATUS_TIMEOUT) for node in nodes
    ]
    answers = {result.job.node.name: decode_answer(result, wire.decode_report) for result in transport.run(jobs)}
    # The plan reports nodes that do not answer now.
    return {name: answer for name, answer in answers.items() if not isinstance(answer, Problem)}


def _is_under_way(report: TransactionReport) -> bool:
    """Whether it will end soon: one that was broken off with files changed ends at the next boot only."""
    if report.phase is not TransactionPhase.RUNNING:
        return False
    return report.code != "transaction-interrupted" or report.step in _NOTHING_CHANGED


def enforce_past_policy(planned: PlannedNode, then: PastNode) -> PlannedNode:
    """Return the node, refused where something else is wanted of it than in the run."""
    if planned.outcome not in (Outcome.PENDING, Outcome.UNCHANGED):
        return planned
    if policy_digest(planned.policy) == then.policy_digest:
        return planned
    problem = Problem(
        code="resume-policy-changed",
        message=f"the settings of {planned.node.name} have changed since the run that is taken up",
        hint="start a new run with apply, and look at its plan",
    )
    return refuse_node(planned, problem)


def _rollout(rollout: Rollout, past: Mapping[str, _Past]) -> Rollout:
    """Return the rollout without a canary where that went well already."""
    went_well = sum(1 for one in past.values() if one.node.outcome is Outcome.CHANGED and one.node.is_done)
    return replace(rollout, canary=0) if went_well >= rollout.canary else rollout


def _gone(names: Iterator[str]) -> Iterator[Problem]:
    missing = ", ".join(names)
    if missing:
        yield Problem(
            code="resume-nodes-missing",
            message=f"the run also had nodes that the inventory does not name any more: {missing}",
            hint="nothing is done there; put them back into the inventory, or let them be",
        )

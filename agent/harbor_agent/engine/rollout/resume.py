"""Resumes a run that halted or was killed: its request comes from the history, and only nodes not done are planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.history.query import RunState, find_state, load_run
from harbor_agent.engine.plan.nodes import refuse_node
from harbor_agent.engine.plan.run_plan import plan_run, require_drain
from harbor_agent.engine.plan.settle import wait_for_transactions
from harbor_agent.engine.request.request import decode_request
from harbor_agent.errors import LockedError, Problem, UsageError
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.planning.config.digest import policy_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Rollout
    from harbor_agent.model.runs import PastNode, PastRun
    from harbor_agent.transport.protocol import Transport

# Twice the deadline of a daemon: the longest time that a node needs to end a transaction on its own.
_SETTLE_SECONDS = 240.0
_NO_END = frozenset({None, Outcome.UNKNOWN})
_REPEAT_HINTS = {
    RunKind.DNS: "run harbor-agent dns apply again; it leaves alone what is there already",
    RunKind.ROLLBACK: "run harbor-agent rollback again; it skips nodes that are rolled back already",
    RunKind.CORRECT: "run harbor-agent drift --correct again; it checks the nodes first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _PastResult:
    """The result of a node in the newest run that it was part of, up to the run being resumed."""

    run_id: str
    node: PastNode


def resume_run(run_id: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Plan the nodes of a run that are not done, with the options of that run.

    Of `overrides` only the password and the note count. A node whose settings have changed since is refused. Raises
    UsageError for a run that is unknown, complete or not an apply, LockedError for a run that is still running.
    """
    run = load_run(run_id)
    _require_resumable(run)
    past = _merge_runs(run)
    left = {name: one for name, one in past.items() if not one.node.is_done}
    done = len(past) - len(left)
    listener(Message(text=f"{done} of {len(past)} nodes of run {run_id} are done and will be skipped"))

    def choose(transport: Transport, nodes: Sequence[Node]) -> Sequence[Node]:
        chosen = [node for node in nodes if node.name in left]
        begun = [(node, left[node.name]) for node in chosen if left[node.name].node.outcome in _NO_END]
        transactions = [(node, past_result.run_id) for node, past_result in begun]
        wait_for_transactions(transport, transactions, _SETTLE_SECONDS, listener)
        return chosen

    run_plan = plan_run(_build_request(run, overrides), listener, choose, wait=True)
    if run_plan.request.drain:
        run_plan = require_drain(run_plan)
    present = {planned.node.name for planned in run_plan.nodes}
    return replace(
        run_plan,
        nodes=tuple(enforce_past_policy(planned, left[planned.node.name].node) for planned in run_plan.nodes),
        general=replace(run_plan.general, rollout=_skip_finished_canary(run_plan.general.rollout, past)),
        warnings=(*run_plan.warnings, *_report_missing_nodes(name for name in left if name not in present)),
        resumes=run_id,
    )


def _require_resumable(run: PastRun) -> None:
    if run.kind is not RunKind.APPLY:
        message = f"cannot resume {run.run_id}: it is not an apply"
        raise UsageError.of("run-not-resumable", message, _REPEAT_HINTS[run.kind])
    if find_state(run) is RunState.UNDER_WAY:
        message = f"cannot resume {run.run_id}: it is still running ({run.who}, since {run.started})"
        raise LockedError.of("run-locked", message, "wait until it ends; harbor-agent lock show prints the holder")
    if run.exit_code == 0:
        message = f"cannot resume {run.run_id}: it is complete"
        raise UsageError.of("run-complete", message, "check the nodes with harbor-agent drift")


def _merge_runs(run: PastRun) -> dict[str, _PastResult]:
    """Return the nodes of the run and of the runs that it resumed; later results count."""
    earlier: dict[str, _PastResult] = {}
    if run.resumes:
        try:
            earlier = _merge_runs(load_run(run.resumes))
        except UsageError:
            # It was deleted as too old; the run itself has the nodes that were not done.
            earlier = {}
    return earlier | {node.node: _PastResult(run_id=run.run_id, node=node) for node in run.nodes}


def _build_request(run: PastRun, overrides: RunRequest) -> RunRequest:
    try:
        then = decode_request(run.options)
    except ValueError as error:
        message = f"cannot resume {run.run_id}: its options cannot be read: {error}"
        raise UsageError.of("run-not-resumable", message, "run apply again with its options") from None
    flags = replace(then.flags, password=overrides.flags.password)
    return replace(then, flags=flags, note=overrides.note or then.note)


def enforce_past_policy(planned: PlannedNode, then: PastNode) -> PlannedNode:
    """Refuse the node if its settings have changed since the run."""
    if planned.outcome not in (Outcome.PENDING, Outcome.UNCHANGED):
        return planned
    if policy_digest(planned.policy) == then.policy_digest:
        return planned
    problem = Problem(
        code="resume-policy-changed",
        message=f"the settings of {planned.node.name} have changed since the run to be resumed",
        hint="start a new run with apply, and check its plan",
    )
    return refuse_node(planned, problem)


def _skip_finished_canary(rollout: Rollout, past: Mapping[str, _PastResult]) -> Rollout:
    """Return the rollout without a canary if as many nodes are done already."""
    succeeded = sum(1 for one in past.values() if one.node.outcome is Outcome.CHANGED and one.node.is_done)
    return replace(rollout, canary=0) if succeeded >= rollout.canary else rollout


def _report_missing_nodes(names: Iterator[str]) -> Iterator[Problem]:
    missing = ", ".join(names)
    if missing:
        yield Problem(
            code="resume-nodes-missing",
            message=f"nodes of the run are no longer in the inventory: {missing}",
            hint="add them to the inventory again if they should be changed",
        )

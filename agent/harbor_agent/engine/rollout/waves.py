"""Change the nodes of a plan, wave by wave, prove each, and stop when too much goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message, NodeFinished, Phase
from harbor_agent.engine.rollout.records import new_record
from harbor_agent.engine.rollout.transactions import Following, begin, roll_back
from harbor_agent.engine.rollout.verification import check_pulls
from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.planning.node import find_runtime
from harbor_agent.planning.rollout.waves import find_exceeded_budget, split_into_waves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.engine.rollout.transactions import TransactionResult
    from harbor_agent.engine.rollout.verification import PullCheck
    from harbor_agent.errors import ExitCode
    from harbor_agent.model.policy import Rollout

_BAD = frozenset({Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED, Outcome.REFUSED})
_GONE = frozenset({Outcome.UNREACHABLE, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutResult:
    """The results in the order of the plan, and why the run halted early, if it did.

    `stopped` is the exit code that a signal asked for. `warnings` are about the nodes' places in the cluster.
    """

    results: tuple[NodeResult, ...]
    halted: str | None = None
    stopped: ExitCode | None = None
    warnings: tuple[Problem, ...] = ()


def roll_out(run: RolloutContext, planned: Sequence[PlannedNode]) -> RolloutResult:
    """Carry out the plans of `planned`; nodes with nothing to change are only proven."""
    results = {p.node.name: _unplanned(p) for p in planned if p.outcome is not Outcome.PENDING}
    to_change = {p.node.name: p for p in planned if p.outcome is Outcome.PENDING}
    halted = over_budget = None
    for wave in split_into_waves([p.node for p in to_change.values()], run.rollout, run.hooks.unfit_for_canary):
        # Only a run that leaves a node untouched has halted.
        if halted is None and (reason := over_budget or ("it was asked to stop" if run.stop() else None)):
            halted = reason
            run.listener(Message(text=f"halting: {halted}"))
        if halted is None:
            names = ", ".join(node.name for node in wave)
            run.listener(Phase(name=f"change {names}", total=len(wave)))
            for result in _wave(run, [to_change[node.name] for node in wave]):
                results[result.node] = result
                run.listener(NodeFinished(result=result))
            over_budget = _over_budget(run.rollout, results, to_change)
        else:
            results |= {node.name: _untouched(node.name, halted) for node in wave}
    stopped = run.stop()
    unchanged = [p for p in planned if p.outcome is Outcome.UNCHANGED and stopped is None]
    results |= {result.node: result for result in verify_unchanged(run, unchanged)}
    in_order = tuple(results[p.node.name] for p in planned)
    run.hooks.end(in_order)
    return RolloutResult(results=in_order, halted=halted, stopped=stopped, warnings=run.hooks.warnings)


def verify_nodes(run: RolloutContext, planned: Sequence[PlannedNode]) -> RolloutResult:
    """Verify nodes instead of changing them; one that would have to be changed is FAILED."""
    results = {r.node: r for r in verify_unchanged(run, [p for p in planned if p.outcome is Outcome.UNCHANGED])}
    for p in planned:
        if p.node.name not in results:
            results[p.node.name] = _fail_pending(p)
            run.listener(NodeFinished(result=results[p.node.name]))
    return RolloutResult(results=tuple(results[p.node.name] for p in planned))


def verify_unchanged(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    """Pull on nodes that are as wanted already; a bad pull makes the node's outcome FAILED."""
    proofs = check_pulls(run.transport, [(p.node, p.policy) for p in planned], run.credentials)
    results = []
    for p in planned:
        result = _proven(_unplanned(p), proofs[p.node.name])
        if result.verified is False:
            result = replace(result, outcome=Outcome.FAILED)
        run.listener(NodeFinished(result=result))
        results.append(result)
    return results


def _wave(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    held = run.hooks.before(planned)
    changed = run.hooks.after(_changed(run, [p for p in planned if p.node.name not in held]))
    results = {**held, **{result.node: result for result in changed}}
    return [results[p.node.name] for p in planned]


def _changed(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    """Change nodes, prove them, and take back what the proof denies."""
    by_name = {p.node.name: p for p in planned}
    plans = [(p.node, p.decision, new_record(p, p.decision, run)) for p in planned if isinstance(p.decision, Plan)]
    following = Following(health_deadline=run.rollout.health_deadline, listener=run.listener, stop=run.stop)
    ended = begin(run.transport, plans, run.run_id, following)
    results = {t.node.name: _result(by_name[t.node.name], t, run.run_id) for t in ended}
    changed = [p for p in planned if results[p.node.name].outcome is Outcome.CHANGED]
    proofs = check_pulls(run.transport, [(p.node, p.policy) for p in changed], run.credentials)
    for name, proof in proofs.items():
        results[name] = _proven(results[name], proof)
    denied = [
        by_name[name].node for name, proof in proofs.items() if proof.shows_failed_change(_taken_out(by_name[name]))
    ]
    for undone in roll_back(run.transport, denied, run.run_id, following) if denied else ():
        results[undone.node.name] = _taken_back(results[undone.node.name], undone)
    return [results[p.node.name] for p in planned]


def _taken_out(planned: PlannedNode) -> list[str]:
    """Return the entries that were in force before the change and are not after it."""
    state = planned.state
    before = (find_runtime(state).describe_process(state).entries or ()) if state else ()
    absent = planned.decision.activation.unexpected if isinstance(planned.decision, Plan) else ()
    return [entry for entry in absent if entry in before]


def _result(planned: PlannedNode, transacted: TransactionResult, run_id: str) -> NodeResult:
    action = planned.decision.activation.action if isinstance(planned.decision, Plan) else Action.NONE
    problem = transacted.problem
    lost = transacted.report.containers_lost if transacted.report else ()
    return NodeResult(
        node=planned.node.name,
        outcome=transacted.outcome,
        action=action,
        transaction=run_id,
        reason=(problem.message if problem else planned.reason) + _told(lost),
        problem=problem,
        seconds=transacted.seconds,
        containers_lost=lost,
    )


def _proven(result: NodeResult, proof: PullCheck) -> NodeResult:
    proven = replace(result, verified=proof.verified, seconds=result.seconds + proof.seconds)
    if proof.problem is None:
        return proven
    return replace(proven, problem=proof.problem, reason=proof.problem.message)


def _taken_back(result: NodeResult, undone: TransactionResult) -> NodeResult:
    outcome = undone.outcome if undone.outcome in {Outcome.ROLLED_BACK, Outcome.UNKNOWN} else Outcome.ROLLBACK_FAILED
    before = result.containers_lost
    lost = tuple(name for name in (undone.report.containers_lost if undone.report else ()) if name not in before)
    result = replace(result, outcome=outcome, containers_lost=(*before, *lost), reason=result.reason + _told(lost))
    problem = _why_not_taken_back(undone)
    if problem is None:
        return result
    return replace(result, problem=problem, reason=f"{result.reason}; taking it back: {problem.message}")


def _why_not_taken_back(undone: TransactionResult) -> Problem | None:
    if undone.outcome is Outcome.ROLLED_BACK:
        return None
    report = undone.report
    # The node kept the change, and says why.
    if undone.problem is None and report is not None and report.code:
        return Problem(
            code=report.code,
            message=f"the node kept the change: {report.detail}",
            hint=f"the node needs a person: harbor-agent explain {report.code}",
        )
    return undone.problem


def _told(lost: Sequence[str]) -> str:
    return f"; no longer running: {', '.join(lost)}" if lost else ""


def _unplanned(planned: PlannedNode) -> NodeResult:
    return NodeResult(
        node=planned.node.name,
        outcome=planned.outcome,
        reason=planned.reason,
        problem=planned.problem,
        seconds=planned.seconds,
    )


def _fail_pending(planned: PlannedNode) -> NodeResult:
    outcome, problem = planned.outcome, planned.problem
    if outcome is Outcome.PENDING:
        outcome = Outcome.FAILED
        problem = Problem(
            code="not-configured",
            message=f"not configured: {planned.reason}",
            hint="harbor-agent plan shows the change",
        )
    reason = problem.message if problem else planned.reason
    verified = False if outcome is Outcome.FAILED else None
    return NodeResult(node=planned.node.name, outcome=outcome, verified=verified, reason=reason, problem=problem)


def _untouched(name: str, halted: str) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.SKIPPED, reason=f"not touched, the run halted: {halted}")


def _over_budget(
    rollout: Rollout, results: Mapping[str, NodeResult], to_change: Mapping[str, PlannedNode]
) -> str | None:
    done = [results[name] for name in to_change if name in results]
    failed = sum(1 for result in done if result.outcome in _BAD or result.verified is False)
    unreachable = sum(1 for result in done if result.outcome in _GONE)
    return find_exceeded_budget(rollout, len(to_change), failed=failed, unreachable=unreachable)

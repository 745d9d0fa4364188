"""Changes the nodes of a plan wave by wave, verifies each, and halts when a failure budget is exceeded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message, NodeFinished, Phase, Wave
from harbor_agent.engine.plan.nodes import describe_pending
from harbor_agent.engine.rollout.login_check import add_login_check, check_node_logins, describe_untried_logins
from harbor_agent.engine.rollout.records import build_record
from harbor_agent.engine.rollout.transactions import TransactionMonitor, begin_transactions, roll_back_transactions
from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import NodeResult, Outcome, Proof
from harbor_agent.planning.files.certificates import list_replaced_authorities
from harbor_agent.planning.node import find_runtime, runs_control_plane
from harbor_agent.planning.rollout.waves import find_exceeded_budget, split_into_waves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.proof.check import PullCheck
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.engine.rollout.login_check import LoginCheck
    from harbor_agent.engine.rollout.transactions import TransactionResult
    from harbor_agent.errors import ExitCode
    from harbor_agent.model.policy import Rollout

_FAILED = frozenset({Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED, Outcome.REFUSED})
_LOST = frozenset({Outcome.UNREACHABLE, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutResult:
    """The results in the order of the plan, and why the run halted, if it did.

    `stopped` is the exit code that a signal requested. `warnings` are those of the hooks, and of logins not tried.
    """

    results: tuple[NodeResult, ...]
    halted: str | None = None
    stopped: ExitCode | None = None
    warnings: tuple[Problem, ...] = ()


def roll_out(run: RolloutContext, planned: Sequence[PlannedNode]) -> RolloutResult:
    """Carry out the plans of `planned`; nodes without a change are only verified."""
    results = {p.node.name: _build_plan_result(p) for p in planned if p.outcome is not Outcome.PENDING}
    to_change = {p.node.name: p for p in planned if p.outcome is Outcome.PENDING}
    halted = over_budget = None
    nodes, servers = [p.node for p in to_change.values()], _find_servers(to_change.values())
    waves = list(split_into_waves(nodes, run.rollout, run.hooks.unfit_for_canary, servers))
    for number, wave in enumerate(waves, 1):
        # Only a run that leaves a node unchanged has halted.
        if halted is None and (reason := over_budget or ("a stop was requested" if run.stop() else None)):
            halted = reason
            run.listener(Message(text=f"halting: {halted}"))
        if halted is None:
            names = ", ".join(node.name for node in wave)
            run.listener(Phase(name=f"change {names}", total=len(wave), wave=Wave(number=number, total=len(waves))))
            for result in _change_wave(run, [to_change[node.name] for node in wave]):
                results[result.node] = result
                run.listener(NodeFinished(result=result))
            over_budget = _check_budget(run.rollout, results, to_change)
        else:
            results |= {node.name: _skip_node(node.name, halted) for node in wave}
    stopped = run.stop()
    unchanged = [p for p in planned if p.outcome is Outcome.UNCHANGED and stopped is None]
    results |= {result.node: result for result in verify_unchanged(run, unchanged)}
    in_order = tuple(results[p.node.name] for p in planned)
    run.hooks.finish(in_order)
    return RolloutResult(results=in_order, halted=halted, stopped=stopped, warnings=run.hooks.warnings)


def _find_servers(planned: Iterable[PlannedNode]) -> frozenset[str]:
    return frozenset(p.node.name for p in planned if p.state and runs_control_plane(p.state))


def skip_nodes(run: RolloutContext, planned: Sequence[PlannedNode], halted: str) -> RolloutResult:
    """Return the results of a run that halted before its first node."""
    results = tuple(
        _skip_node(p.node.name, halted) if p.outcome is Outcome.PENDING else _build_plan_result(p) for p in planned
    )
    return RolloutResult(results=results, halted=halted, stopped=run.stop())


def verify_nodes(
    run: RolloutContext,
    planned: Sequence[PlannedNode],
    *,
    with_login: bool = False,
    takes_any: frozenset[str] = frozenset(),
) -> RolloutResult:
    """Verify nodes instead of changing them; one that would have to be changed is FAILED.

    With `with_login`, each node also logs in at the registries that have a login. `takes_any` are the entries of those
    that take any login, so that one that succeeds there is not proven.
    """
    unchanged = [p for p in planned if p.outcome is Outcome.UNCHANGED]
    results = {r.node: r for r in verify_unchanged(run, unchanged)}
    logins: Mapping[str, LoginCheck] = {}
    if with_login:
        logins = check_node_logins(run.transport, [(p.node, p.policy, p.runtime) for p in unchanged], run.credentials)
        results |= {name: add_login_check(results[name], check, takes_any) for name, check in logins.items()}
    for p in planned:
        if p.node.name not in results:
            results[p.node.name] = _fail_pending(p)
            run.listener(NodeFinished(result=results[p.node.name]))
    ordered = tuple(results[p.node.name] for p in planned)
    return RolloutResult(results=ordered, stopped=run.stop(), warnings=tuple(describe_untried_logins(logins)))


def verify_unchanged(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    """Verify unchanged nodes by a pull; a node whose pull fails is FAILED, one that does not answer UNREACHABLE."""
    if any(registry.verify_image for p in planned for registry in p.policy.present):
        run.listener(Phase(name="verify nodes", total=len(planned)))
    checks = run.prove_pulls(planned)
    results = []
    for p in planned:
        check = checks[p.node.name]
        result = _add_pull_check(_build_plan_result(p), check)
        if check.is_unreachable:
            result = replace(result, outcome=Outcome.UNREACHABLE, verified=None)
        elif result.verified is False:
            result = replace(result, outcome=Outcome.FAILED)
        run.listener(NodeFinished(result=result))
        results.append(result)
    return results


def _change_wave(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    held = run.hooks.before_wave(planned)
    changed = run.hooks.after_wave(_change_nodes(run, [p for p in planned if p.node.name not in held]))
    results = {**held, **{result.node: result for result in changed}}
    return [results[p.node.name] for p in planned]


def _change_nodes(run: RolloutContext, planned: Sequence[PlannedNode]) -> list[NodeResult]:
    """Change nodes, verify them, and roll back those on which the pull shows that the change failed."""
    by_name = {p.node.name: p for p in planned}
    plans = [(p.node, p.decision, build_record(p, p.decision, run)) for p in planned if isinstance(p.decision, Plan)]
    monitor = TransactionMonitor(health_deadline=run.rollout.health_deadline, listener=run.listener, stop=run.stop)
    ended = begin_transactions(run.transport, plans, run.run_id, monitor)
    results = {t.node.name: _build_result(by_name[t.node.name], t, run.run_id) for t in ended}
    changed = [p for p in planned if results[p.node.name].outcome is Outcome.CHANGED]
    checks = run.prove_pulls(changed)
    for name, check in checks.items():
        results[name] = _add_pull_check(results[name], check)
    rejected = [by_name[name].node for name, check in checks.items() if _shows_failed_change(by_name[name], check)]
    for undone in roll_back_transactions(run.transport, rejected, run.run_id, monitor) if rejected else ():
        results[undone.node.name] = _add_rollback(results[undone.node.name], undone)
    return [results[p.node.name] for p in planned]


def _shows_failed_change(planned: PlannedNode, check: PullCheck) -> bool:
    changes = planned.decision.changes if isinstance(planned.decision, Plan) else ()
    entries = [registry.address.entry for registry in planned.policy.present]
    return check.shows_failed_change(_list_removed_entries(planned), list_replaced_authorities(changes, entries))


def _list_removed_entries(planned: PlannedNode) -> list[str]:
    """Return the entries that were in effect before the change and are not after it."""
    state = planned.state
    before = (find_runtime(state).describe_process(state).entries or ()) if state else ()
    absent = planned.decision.activation.unexpected if isinstance(planned.decision, Plan) else ()
    return [entry for entry in absent if entry in before]


def _build_result(planned: PlannedNode, transaction: TransactionResult, run_id: str) -> NodeResult:
    action = planned.decision.activation.action if isinstance(planned.decision, Plan) else Action.NONE
    problem = transaction.problem
    lost = transaction.report.containers_lost if transaction.report else ()
    return NodeResult(
        node=planned.node.name,
        outcome=transaction.outcome,
        action=action,
        transaction=run_id,
        reason=(problem.message if problem else planned.reason) + _describe_lost(lost),
        problem=problem,
        seconds=transaction.seconds,
        containers_lost=lost,
    )


def _add_pull_check(result: NodeResult, check: PullCheck) -> NodeResult:
    proof = None if check.verified is None else check.proof
    verified = replace(result, verified=check.verified, proof=proof, seconds=result.seconds + check.seconds)
    if check.problem is None:
        return replace(verified, reason=result.reason + _quote_kubelet(check))
    return replace(verified, problem=check.problem, reason=check.problem.message)


def _quote_kubelet(check: PullCheck) -> str:
    if check.proof is not Proof.POD or not check.pulls:
        return ""
    return f"; kubelet: {', '.join(pull.detail for pull in check.pulls)}"


def _add_rollback(result: NodeResult, undone: TransactionResult) -> NodeResult:
    outcome = undone.outcome if undone.outcome in {Outcome.ROLLED_BACK, Outcome.UNKNOWN} else Outcome.ROLLBACK_FAILED
    before = result.containers_lost
    lost = tuple(name for name in (undone.report.containers_lost if undone.report else ()) if name not in before)
    result = replace(
        result, outcome=outcome, containers_lost=(*before, *lost), reason=result.reason + _describe_lost(lost)
    )
    problem = _find_rollback_problem(undone)
    if problem is None:
        return result
    return replace(result, problem=problem, reason=f"{result.reason}; rollback: {problem.message}")


def _find_rollback_problem(undone: TransactionResult) -> Problem | None:
    if undone.outcome is Outcome.ROLLED_BACK:
        return None
    report = undone.report
    # The node kept the change and reported the reason.
    if undone.problem is None and report is not None and report.code:
        return Problem(
            code=report.code,
            message=f"the node kept the change: {report.detail}",
            hint=f"manual intervention required; see `harbor-agent explain {report.code}`",
        )
    return undone.problem


def _describe_lost(lost: Sequence[str]) -> str:
    return f"; no longer running: {', '.join(lost)}" if lost else ""


def _build_plan_result(planned: PlannedNode) -> NodeResult:
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
        outcome, problem = Outcome.FAILED, describe_pending(planned)
    reason = problem.message if problem else planned.reason
    return NodeResult(node=planned.node.name, outcome=outcome, reason=reason, problem=problem)


def _skip_node(name: str, halted: str) -> NodeResult:
    return NodeResult(node=name, outcome=Outcome.SKIPPED, reason=f"not changed, because the run halted: {halted}")


def _check_budget(
    rollout: Rollout, results: Mapping[str, NodeResult], to_change: Mapping[str, PlannedNode]
) -> str | None:
    done = [results[name] for name in to_change if name in results]
    failed = sum(1 for result in done if result.outcome in _FAILED or result.verified is False)
    unreachable = sum(1 for result in done if result.outcome in _LOST)
    return find_exceeded_budget(rollout, len(to_change), failed=failed, unreachable=unreachable)

"""A whole run over what was planned, to the report: the order of effects, and nothing else."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.exit_codes import run_exit_code
from harbor_agent.engine.history.lock import run_lock
from harbor_agent.engine.history.recorder import Start, recorded
from harbor_agent.engine.plan.nodes import open_transport
from harbor_agent.engine.plan.offline import apply_tree
from harbor_agent.engine.rollout.context import RolloutContext
from harbor_agent.engine.rollout.kubernetes_hooks import rollout_hooks
from harbor_agent.engine.rollout.records import update_records
from harbor_agent.engine.rollout.waves import RolloutResult, apply_plans, verify_unchanged
from harbor_agent.engine.secrets.secrets import apply_secrets, check_logins, skipped_secrets
from harbor_agent.errors import Problem
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.planning.network.reachability import REACHABILITY_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.engine.secrets.secrets import SecretsReport
    from harbor_agent.errors import ExitCode
    from harbor_agent.model.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run ended. `warnings` are about the run as a whole; a node's own are in its plan."""

    run_id: str
    results: tuple[NodeResult, ...]
    secrets: SecretsReport | None
    halted: str | None
    exit_code: ExitCode
    warnings: tuple[Problem, ...] = ()
    note: str = ""


def apply_run(run_plan: RunPlan, listener: Listener, stop: StopRequest) -> Report:
    """Check the logins, change the nodes wave by wave, then put the secrets into the cluster.

    Once `stop` is asked for, nothing new is started. Raises AgentError where a registry rejects a login,
    LockedError where another run is under way; then nothing was changed.
    """
    run = replace(_run(run_plan, listener), stop=stop)
    if run_plan.request.root is not None:
        results = tuple(apply_tree(run_plan.request.root, planned) for planned in run_plan.nodes)
        return report_of(run.run_id, RolloutResult(results=results), note=run.note)
    start = Start(
        run_id=run.run_id, kind=run_plan.kind, request=run_plan.request, nodes=run_plan.nodes, resumes=run_plan.resumes
    )
    with run_lock(run.run_id) as killed, recorded(start, listener) as history:
        run = replace(run, listener=history)
        if killed:
            listener(Message(text=f"an earlier run was killed: {killed}; its nodes finished by themselves"))
        warnings = check_logins(_policies(run_plan), run_plan.credentials)
        kubeconfig, context = run_plan.general.kubeconfig, run_plan.request.flags.context
        with rollout_hooks(run, run_plan.nodes, kubeconfig=kubeconfig, context=context) as surroundings:
            applied = apply_plans(replace(run, surroundings=surroundings), run_plan.nodes)
        secrets = _finish_secrets(run_plan, applied)
        told = (*warnings, *run_plan.warnings, *_taken_in(run_plan, run, applied))
        report = report_of(run.run_id, applied, secrets=secrets, warnings=told, note=run.note)
        history.end(report.results, report.exit_code, report.halted)
    return replace(report, warnings=(*report.warnings, *history.warnings))


def verify_run(run_plan: RunPlan, listener: Listener) -> Report:
    """Prove every node: its live configuration is as wanted, and a real pull works. Nothing is changed.

    A node whose configuration is not as wanted is FAILED, with what is missing as the reason. Raises AgentError where a
    registry rejects a login: so many nodes that try it would lock the account.
    """
    warnings = check_logins(_policies(run_plan), run_plan.credentials)
    run = _run(run_plan, listener)
    proven = {r.node: r for r in verify_unchanged(run, [p for p in run_plan.nodes if p.outcome is Outcome.UNCHANGED])}
    results = [proven.get(p.node.name) or _not_as_wanted(p) for p in run_plan.nodes]
    told = (*warnings, *_seen_from_nodes(run_plan.nodes), *run_plan.warnings)
    return report_of(run.run_id, RolloutResult(results=tuple(results)), secrets=run_plan.secrets, warnings=told)


def _seen_from_nodes(nodes: Sequence[PlannedNode]) -> list[Problem]:
    """Return what stands between each node and its registries."""
    return [
        replace(warning, message=f"{planned.node.name}: {warning.message}")
        for planned in nodes
        if planned.decision
        for warning in planned.decision.warnings
        if warning.code in REACHABILITY_CODES
    ]


def new_run_id() -> str:
    """Return a name for a run that sorts by time and is unique: UTC to the second, and four random digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{randomness.token_hex(2)}"


def _run(run_plan: RunPlan, listener: Listener) -> RolloutContext:
    return RolloutContext(
        run_id=new_run_id(),
        transport=open_transport(run_plan.request.selection),
        rollout=run_plan.general.rollout,
        credentials=run_plan.credentials,
        listener=listener,
        note=run_plan.request.note,
        is_correction=run_plan.kind is RunKind.CORRECT,
    )


def _policies(run_plan: RunPlan) -> list[Policy]:
    return [run_plan.general, *(planned.policy for planned in run_plan.nodes)]


def _finish_secrets(run_plan: RunPlan, applied: RolloutResult) -> SecretsReport | None:
    if applied.halted or applied.stopped:
        problem = Problem(
            code="run-halted", message="the run halted before the secret", hint="mend the nodes, then run it again"
        )
        return skipped_secrets(run_plan.desired_secrets, problem)
    return apply_secrets(run_plan.desired_secrets, run_plan.general.kubeconfig, run_plan.request.flags.context)


def _taken_in(run_plan: RunPlan, run: RolloutContext, applied: RolloutResult) -> tuple[Problem, ...]:
    """Have nodes remember that they are as wanted, after a run that a person asked for went to its end."""
    if run.is_correction or applied.halted or applied.stopped:
        return ()
    return tuple(update_records(run, run_plan.nodes, applied.results))


def _not_as_wanted(planned: PlannedNode) -> NodeResult:
    outcome, problem = planned.outcome, planned.problem
    if outcome is Outcome.CHANGE:
        outcome = Outcome.FAILED
        problem = Problem(
            code="not-configured", message=f"not as wanted: {planned.reason}", hint="harbor-agent plan shows the change"
        )
    reason = problem.message if problem else planned.reason
    verified = False if outcome is Outcome.FAILED else None
    return NodeResult(node=planned.node.name, outcome=outcome, verified=verified, reason=reason, problem=problem)


def report_of(
    run_id: str,
    applied: RolloutResult,
    *,
    secrets: SecretsReport | None = None,
    warnings: tuple[Problem, ...] = (),
    note: str = "",
) -> Report:
    """Return how a run ended, with the exit code that follows from its parts."""
    return Report(
        run_id=run_id,
        results=applied.results,
        secrets=secrets,
        halted=applied.halted,
        exit_code=applied.stopped or run_exit_code(applied.results, secrets, halted=applied.halted is not None),
        warnings=(*warnings, *applied.warnings),
        note=note,
    )

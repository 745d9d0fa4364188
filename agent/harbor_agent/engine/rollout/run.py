"""The phases of a run, in their order, from a plan to the report."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Message
from harbor_agent.engine.exit_codes import compute_run_exit_code, find_most_severe
from harbor_agent.engine.history.recorder import RunStart, record_run
from harbor_agent.engine.history.scopes import remember_scopes
from harbor_agent.engine.history.waiting import Waiting
from harbor_agent.engine.locks.run import LockRequest, hold_locks
from harbor_agent.engine.plan.nodes import open_transport
from harbor_agent.engine.plan.offline import apply_tree
from harbor_agent.engine.reports.report import VERIFY, Report, list_registries
from harbor_agent.engine.rollout.context import RolloutContext, create_run_id
from harbor_agent.engine.rollout.dns import apply_dns, find_reason_to_halt
from harbor_agent.engine.rollout.kubernetes_hooks import open_hooks
from harbor_agent.engine.rollout.proof import find_missing_secret, list_left_pods, open_proof
from harbor_agent.engine.rollout.records import update_records
from harbor_agent.engine.rollout.waves import RolloutResult, roll_out, skip_nodes, verify_nodes
from harbor_agent.engine.secrets.logins import check_logins, check_open_registries
from harbor_agent.engine.secrets.reconcile import apply_secrets, skip_secrets
from harbor_agent.engine.steps import StepClock
from harbor_agent.engine.workloads.waiting import handle_waiting_pods
from harbor_agent.errors import ExitCode, Problem, UsageError
from harbor_agent.model.runs import RunKind
from harbor_agent.planning.network.reachability import REACHABILITY_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.history.recorder import Recorder
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.rollout.hooks import RolloutHooks
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.engine.secrets.report import SecretsReport


def apply_run(run_plan: RunPlan, listener: Listener, stop: StopRequest) -> Report:
    """Carry out a plan: an apply, a correction or a rollback.

    Once `stop` is requested, nothing new is started. Raises LockedError if another run is under way, AgentError if a
    registry rejects a login or the cluster cannot be used for a drain; then nothing was changed.
    """
    run = start_run(run_plan, listener, stop)
    if run_plan.request.root is not None:
        return build_report(run, run_plan, change_tree(run_plan.request.root, run_plan))
    with hold_run_locks(run, run_plan) as lock_warnings, record_history(run, run_plan) as history:
        run = replace(run, listener=history)
        warnings = check_logins(run_plan.policies, run_plan.credentials) if run_plan.does_cluster_part else []
        with open_cluster(run, run_plan) as hooks, open_proof(run, run_plan, after_change=True) as prover:
            dns = apply_dns(run, run_plan)
            history.record_dns(dns)
            halted = find_reason_to_halt(dns, accept_unproven=run_plan.accepts_unproven)
            early = write_secrets(run, run_plan) if prover and not halted else None  # the pods pull with them
            halted = halted or find_missing_secret(early)
            run = replace(run, hooks=hooks, prover=prover)
            rollout = skip_nodes(run, run_plan.nodes, halted) if halted else roll_out(run, run_plan.nodes)
        secrets = early or sync_secrets(run, run_plan, rollout)
        warnings += [*run_plan.warnings, *list_left_pods(prover), *write_records(run, run_plan, rollout)]
        warnings += lock_warnings
        warnings += find_waiting_pods(run, run_plan, rollout)
        report = add_dns(build_report(run, run_plan, rollout, secrets, warnings), dns, run_plan)
        finish_history(history, report)
    return replace(report, warnings=(*report.warnings, *history.warnings))


def verify_run(
    run_plan: RunPlan, listener: Listener, stop: StopRequest, *, with_login: bool = False, namespace: str | None = None
) -> Report:
    """Verify every node: its live configuration is as desired, and a real pull works. Changes nothing on the nodes.

    With `with_login`, each node also logs in at the registries, and nothing of the login stays there. If the request
    asks for pods, they prove the pulls in `namespace`, or in the first one of the pull secret.
    A node whose configuration is not as desired is FAILED, with the difference as the reason. Raises AgentError if a
    registry rejects a login: trying it from every node would lock the account. Raises it, too, if pods cannot be used,
    or if there is no login to try.
    """
    if with_login and not run_plan.credentials:
        raise UsageError.of(
            "credentials-missing",
            "there is no login for --login to try: no registry has credentials",
            "add credentials to harbor-agent.yaml, or --username with --password-stdin or --password-file",
        )
    run = start_run(run_plan, listener, stop)
    with hold_run_locks(run, run_plan) if run_plan.request.prove_with_pods else nullcontext([]) as lock_warnings:
        warnings, takes_any = check_open_registries(run_plan.policies, run_plan.credentials)
        with open_proof(run, run_plan, after_change=False, namespace=namespace) as prover:
            proving = replace(run, prover=prover)
            rollout = verify_nodes(proving, run_plan.nodes, with_login=with_login, takes_any=takes_any)
    warnings += [*list_reachability(run_plan.nodes), *run_plan.warnings, *list_left_pods(prover), *lock_warnings]
    return replace(build_report(run, run_plan, rollout, run_plan.secrets, warnings), kind=VERIFY)


def start_run(run_plan: RunPlan, listener: Listener, stop: StopRequest) -> RolloutContext:
    """Give the run its name, its transport and a clock."""
    clock = StepClock(listener)
    return RolloutContext(
        run_id=create_run_id(),
        transport=open_transport(run_plan.request.selection),
        rollout=run_plan.general.rollout,
        credentials=run_plan.credentials,
        listener=clock,
        clock=clock,
        note=run_plan.request.note,
        is_correction=run_plan.kind is RunKind.CORRECT,
        stop=stop,
    )


def hold_run_locks(run: RolloutContext, run_plan: RunPlan) -> AbstractContextManager[list[Problem]]:
    """Hold the locks of the inventory and of a named cluster while the block lasts. Raises as `hold_locks`."""

    def report(text: str) -> None:
        run.listener(Message(text=text))

    request = LockRequest(
        run_id=run.run_id,
        waiting=Waiting(seconds=run_plan.lock_timeout, report=report, stop=run.stop),
        inventories=run_plan.request.selection.sources,
        uses_cluster=run_plan.general.kubeconfig is not None,
        kubeconfig=run_plan.general.kubeconfig,
        context=run_plan.request.flags.context,
        shard=run_plan.scope.shard if run_plan.scope else None,
        subject=f"{run_plan.kind} {run_plan.after or run_plan.rolls_back or ''}",
        lose=lambda: run.stop.request_quietly(ExitCode.STOPPED),
    )
    return hold_locks(request)


def record_history(run: RolloutContext, run_plan: RunPlan) -> AbstractContextManager[Recorder]:
    """Record the run in the history while the block lasts; the recorder is the listener of the run."""
    start = RunStart(
        run_id=run.run_id,
        kind=run_plan.kind,
        request=run_plan.request,
        nodes=run_plan.nodes,
        dns=run_plan.dns,
        resumes=run_plan.resumes,
        rolls_back=run_plan.rolls_back,
    )
    return record_run(start, run.listener)


def open_cluster(run: RolloutContext, run_plan: RunPlan) -> RolloutHooks:
    """Find the nodes in their cluster, if there is a kubeconfig or nodes are drained. Raises AgentError for a drain."""
    kubeconfig, context = run_plan.general.kubeconfig, run_plan.request.flags.context
    return open_hooks(run, run_plan.nodes, kubeconfig=kubeconfig, context=context)


def sync_secrets(run: RolloutContext, run_plan: RunPlan, rollout: RolloutResult) -> SecretsReport | None:
    """Write the pull secrets into the cluster, unless the rollout halted."""
    if run_plan.does_cluster_part and (rollout.halted or rollout.stopped):
        problem = Problem(
            code="run-halted", message="the run halted before the secrets", hint="fix the nodes, then run it again"
        )
        return skip_secrets(run_plan.desired_secrets, problem)
    return write_secrets(run, run_plan)


def write_secrets(run: RolloutContext, run_plan: RunPlan) -> SecretsReport | None:
    """Write the pull secrets into the cluster; None without any, and in a shard that leaves them to the first one."""
    if not run_plan.does_cluster_part:
        return None
    kubeconfig, context = run_plan.general.kubeconfig, run_plan.request.flags.context
    remember = None if run.is_correction else partial(remember_scopes, run_id=run.run_id)
    return apply_secrets(run_plan.desired_secrets, kubeconfig, context, remember)


def find_waiting_pods(run: RolloutContext, run_plan: RunPlan, rollout: RolloutResult) -> list[Problem]:
    """Return the warning about pods that still wait for an image, if the run reached its end."""
    if rollout.halted or rollout.stopped or not run_plan.does_cluster_part:
        return []
    return handle_waiting_pods(run_plan.policies, run_plan.desired_secrets, run_plan.request, run.listener)


def write_records(run: RolloutContext, run_plan: RunPlan, rollout: RolloutResult) -> list[Problem]:
    """Update the records of unchanged nodes, if an apply reached its end; return those that could not be written."""
    if run_plan.kind is not RunKind.APPLY or rollout.halted or rollout.stopped:
        return []
    return list(update_records(run, run_plan.nodes, rollout.results))


def finish_history(history: Recorder, report: Report) -> None:
    """Record the end of the run."""
    history.end(report.results, report.exit_code, report.halted)


def change_tree(root: str, run_plan: RunPlan) -> RolloutResult:
    """Write the planned files below `root`. Raises AgentError if a file has changed since it was planned."""
    return RolloutResult(results=tuple(apply_tree(root, planned) for planned in run_plan.nodes))


def list_reachability(nodes: Sequence[PlannedNode]) -> list[Problem]:
    """Return the warnings about the way from each node to its registries, with the node's name."""
    return [
        replace(warning, message=f"{planned.node.name}: {warning.message}")
        for planned in nodes
        if planned.decision
        for warning in planned.decision.warnings
        if warning.code in REACHABILITY_CODES
    ]


def add_dns(report: Report, dns: DnsReport | None, run_plan: RunPlan) -> Report:
    """Return the report with the result in the cluster's DNS; its exit code replaces that of a run that it halted."""
    if dns is None:
        return report
    code = dns.compute_exit_code(accept_unproven=run_plan.accepts_unproven)
    is_halted_by_dns = find_reason_to_halt(dns, accept_unproven=run_plan.accepts_unproven) == report.halted
    codes = [code] if report.halted and is_halted_by_dns else [code, report.exit_code]
    is_stopped = report.exit_code >= ExitCode.BUG
    return replace(report, dns=dns, exit_code=report.exit_code if is_stopped else find_most_severe(codes))


def build_report(
    run: RolloutContext,
    run_plan: RunPlan,
    rollout: RolloutResult,
    secrets: SecretsReport | None = None,
    warnings: Sequence[Problem] = (),
) -> Report:
    """Return how a run ended, with the exit code that follows from its parts."""
    return Report(
        run_id=run.run_id,
        results=run.clock.add_times(rollout.results) if run.clock else rollout.results,
        secrets=secrets,
        halted=rollout.halted,
        exit_code=rollout.stopped or compute_run_exit_code(rollout.results, secrets, halted=rollout.halted is not None),
        warnings=(*warnings, *rollout.warnings),
        note=run.note,
        kind=run_plan.kind.value,
        registries=list_registries(run_plan.policies),
        scope=run_plan.scope,
        after=run_plan.after,
        rolls_back=run_plan.rolls_back,
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
    )

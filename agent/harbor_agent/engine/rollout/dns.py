"""The cluster's DNS in a run: changed and proven before the first node, in a run of its own, or rolled back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.report import DnsReport
from harbor_agent.engine.events import Message
from harbor_agent.engine.history.query import load_run
from harbor_agent.engine.history.recorder import RunStart, record_run
from harbor_agent.engine.history.waiting import Waiting
from harbor_agent.engine.locks.run import LockRequest, hold_locks
from harbor_agent.engine.request.request import decode_request
from harbor_agent.engine.rollout.context import create_run_id
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind

if TYPE_CHECKING:
    from harbor_agent.engine.dns.apply import ApplyOptions
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.runs import PastConfigMap, PastRun

_REACHED = frozenset({Outcome.PENDING, Outcome.UNCHANGED, Outcome.REFUSED})


def apply_dns(run: RolloutContext, run_plan: RunPlan) -> DnsReport | None:
    """Apply the planned names, asked for from the nodes of the run; those that are there already are only asked for."""
    report = run_plan.dns
    if report is None or report.problem or not (report.is_pending or report.present):
        return report
    from harbor_agent.engine.dns.apply import ApplyOptions, apply_cluster_dns  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.engine.dns.ask import find_askers  # noqa: PLC0415 - likewise
    from harbor_agent.engine.dns.prove import Patience  # noqa: PLC0415 - likewise
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - likewise

    nodes = run_plan.asking or [planned.node for planned in run_plan.nodes if planned.outcome in _REACHED]
    options = ApplyOptions(
        patience=Patience(stop=run.stop),
        listener=lambda text: run.listener(Message(text=text)),
        askers=find_askers(run.transport, nodes) if nodes else None,
    )
    with open_cluster(run_plan.general.kubeconfig, run_plan.request.flags.context) as cluster:
        return apply_cluster_dns(cluster, report, options)


def find_reason_to_halt(report: DnsReport | None, *, accept_unproven: bool) -> str | None:
    """Return why the nodes may not follow, None if they may."""
    problem = report.find_obstacle(accept_unproven=accept_unproven) if report else None
    return f"the cluster's DNS: {problem.message}" if problem else None


def apply_dns_only(  # noqa: PLR0913 - the change, and how the run waits and reports
    cluster: Cluster,
    report: DnsReport,
    resolved: Resolved,
    options: ApplyOptions,
    listener: Listener,
    *,
    lock_timeout: float,
) -> DnsReport:
    """Apply the plan of the cluster's DNS as a run of its own, with the locks and the history of runs.

    Raises LockedError if another run is under way; then nothing was changed.
    """
    from harbor_agent.engine.dns.apply import apply_cluster_dns  # noqa: PLC0415 - lightkube is slow to import

    run_id = create_run_id()
    start = RunStart(run_id=run_id, kind=RunKind.DNS, request=resolved.request, nodes=(), dns=report)
    locks = LockRequest(
        run_id=run_id,
        waiting=Waiting(seconds=lock_timeout, report=options.listener, stop=options.patience.stop),
        uses_cluster=True,
        kubeconfig=resolved.general.kubeconfig,
        context=resolved.request.flags.context,
    )
    with hold_locks(locks) as warnings, record_run(start, listener) as history:
        report = apply_cluster_dns(cluster, report, options)
        history.record_dns(report)
        history.end((), report.compute_exit_code(), None)
    return replace(report, run_id=run_id, warnings=(*history.warnings, *warnings))


def find_past_dns(what: str) -> PastRun | None:
    """Return the run to roll back if the history knows it and it changed the cluster's DNS."""
    try:
        run = load_run(what)
    except AgentError:
        return None
    return run if any(_is_in_doubt(one) for one in run.config_maps) else None


def plan_dns_rollback(run: PastRun, kubeconfig: str | None, context: str | None) -> DnsReport:
    """Plan the way back from what a run changed in the cluster's DNS."""
    from harbor_agent.engine.dns.plan import plan_cluster_rollback  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - likewise

    try:
        with open_cluster(kubeconfig, context) as cluster:
            return plan_cluster_rollback(cluster, [one for one in run.config_maps if _is_in_doubt(one)])
    except AgentError as error:
        return DnsReport(servers=(), problem=error.problem)


def find_kubeconfig(run: PastRun) -> tuple[str | None, str | None]:
    """Return the kubeconfig and the context that the run was started with. Raises UsageError for an unknown form."""
    try:
        flags = decode_request(run.options).flags
    except ValueError as error:
        message = f"cannot roll back {run.run_id}: its options cannot be read: {error}"
        raise UsageError.of("run-unknown", message, "use the harbor-agent that started the run") from None
    return flags.kubeconfig, flags.context


def _is_in_doubt(one: PastConfigMap) -> bool:
    """Whether the ConfigMap was changed, or may have been when the run was killed."""
    return one.outcome in (Outcome.CHANGED, Outcome.ROLLBACK_FAILED, None)

"""Corrects drifted nodes: an apply that restores only what a person applied before (docs/decisions/0021)."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import CorrectedFile, CorrectionLog
from harbor_agent.engine.drift.dns import build_dns_correction, choose_dns_corrections, list_corrected_texts
from harbor_agent.engine.drift.secret_corrections import (
    choose_secret_corrections,
    list_corrected_secrets,
    list_unwritten_secrets,
    refuse_suspect_secrets,
)
from harbor_agent.engine.history.database import HistoryError
from harbor_agent.engine.plan.reachability import find_unreachable_registries
from harbor_agent.engine.plan.run_plan import RunPlan, refuse_unconsented
from harbor_agent.engine.request.credentials import read_logins
from harbor_agent.engine.request.resolve import require_registry
from harbor_agent.engine.rollout.run import apply_run
from harbor_agent.errors import AgentError, Problem, UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import Quarantine, RunKind
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import DriftStatus, find_reverted_file, hash_content, is_suspect
from harbor_agent.planning.files.managed import find_announced_owner
from harbor_agent.planning.node import find_record

if TYPE_CHECKING:
    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.secret_corrections import SecretCorrection
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.model.policy import DriftLimits

_UNTOUCHED = frozenset({Outcome.SKIPPED, Outcome.REFUSED, Outcome.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """The drifted nodes that will be corrected, and the corrections of DNS and of pull secrets (None: nothing to do).

    `blocked_by` is the reason if nothing will be, regardless of the node. `lock_timeout` is how long the run waits for
    another one, in seconds.
    """

    report: DriftReport
    chosen: tuple[DriftedNode, ...] = ()
    dns: DnsReport | None = None
    secrets: SecretCorrection | None = None
    blocked_by: Problem | None = None
    lock_timeout: float = 0.0


def choose_corrections(
    report: DriftReport, limits: DriftLimits, *, accept_restart: bool, allow_unreachable_registry: bool = False
) -> Corrections:
    """Choose the nodes to correct; every other drifted node gets the problem that forbids its correction.

    A node on which another program reverts corrections goes into quarantine. No node is corrected if nodes would
    restart for a registry that no node reaches. Raises UsageError if no registry is named.
    """
    require_registry([node.planned.policy for node in report.nodes])
    drifted = [node for node in report.nodes if node.status is DriftStatus.DRIFT]
    recorded = sum(1 for node in report.nodes if node.planned.state and find_record(node.planned.state))
    if is_suspect(len(drifted), recorded, limits):
        return Corrections(report=report, blocked_by=_describe_suspect_drift(len(drifted), recorded, limits))
    try:
        with CorrectionLog() as log:
            checked = {node.name: _check_allowed(node, log, accept_restart=accept_restart) for node in drifted}
            dns = choose_dns_corrections(report.dns, log, accept_restart=accept_restart) if report.dns else None
            secrets, correction = _choose_secrets(report, log, limits)
    except AgentError as error:
        return Corrections(report=report, blocked_by=_describe_missing_history(error.problem))
    free = [node for node in checked.values() if node.problem is None]
    checked |= {node.name: replace(node, problem=_describe_node_limit(limits)) for node in free[limits.max_nodes :]}
    chosen = tuple(free[: limits.max_nodes])
    nodes = tuple(checked.get(node.name, node) for node in report.nodes)
    report = replace(report, nodes=nodes, dns=dns, secrets=secrets)
    unreachable = find_unreachable_registries([n.planned for n in report.nodes], [n.planned for n in chosen])
    if unreachable and not allow_unreachable_registry:
        return Corrections(report=report, blocked_by=unreachable)
    dns_correction = build_dns_correction(dns) if dns else None
    return Corrections(report=report, chosen=chosen, dns=dns_correction, secrets=correction)


def correct_nodes(corrections: Corrections, listener: Listener, stop: StopRequest) -> Report:
    """Correct the chosen nodes one by one, and stop at the first failure. Raises as `apply_run` does."""
    report = corrections.report
    rollout = replace(report.general.rollout, canary=0, batch=1, max_failed=0, max_unreachable=0)
    nodes = tuple(node.planned for node in corrections.chosen)
    run_plan = RunPlan(
        request=report.request,
        general=replace(report.general, rollout=rollout),
        nodes=nodes,
        credentials=read_logins([report.general, *(node.policy for node in nodes)]),
        desired_secrets=corrections.secrets.desired if corrections.secrets else (),
        secrets=corrections.secrets.report if corrections.secrets else None,
        dns=corrections.dns,
        asking=tuple(node.planned.node for node in report.nodes if node.planned.state is not None),
        kind=RunKind.CORRECT,
        scope=report.scope,
        lock_timeout=corrections.lock_timeout,
    )
    places = {node.name: (node.name, node.planned.node.place) for node in corrections.chosen}
    with CorrectionLog() as log:
        others = list_corrected_texts(report.dns) if report.dns else []
        others += list_corrected_secrets(report.secrets) if report.secrets else []
        added = log.add([*others, *(one for node in corrections.chosen for one in _list_corrected_files(node))])
        try:
            ended = apply_run(run_plan, listener, stop)
        except AgentError:
            with suppress(HistoryError):
                log.forget(added, [*((other.node, other.place) for other in others), *places.values()])
            raise
        try:
            unwritten = list_unwritten_secrets(report.secrets, ended.secrets) if report.secrets else []
            log.forget(added, [*unwritten, *(places[one.node] for one in ended.results if one.outcome in _UNTOUCHED)])
        except HistoryError as error:  # the report of the nodes that were changed must not get lost
            ended = replace(ended, warnings=(*ended.warnings, error.problem))
    return ended


def _choose_secrets(
    report: DriftReport, log: CorrectionLog, limits: DriftLimits
) -> tuple[SecretsDrift | None, SecretCorrection | None]:
    if report.secrets is None:
        return None, None
    found = refuse_suspect_secrets(report.secrets, limits)
    policies = [report.general, *(node.planned.policy for node in report.nodes)]
    context = report.request.flags.context
    return choose_secret_corrections(found, policies, log, report.general.kubeconfig, context)


def release_node(node: str) -> Quarantine:
    """Release a node from quarantine. Raises UsageError (`drift-not-quarantined`) if it is not in quarantine."""
    with CorrectionLog() as log:
        found = log.release(node)
    if not found:
        message = f"{node} is not in quarantine"
        raise UsageError.of("drift-not-quarantined", message, "list the quarantined nodes with harbor-agent drift")
    if len(found) > 1:
        names = " and ".join(one.full_name for one in found)
        message = f"several nodes called {node} are in quarantine: {names}"
        name = shlex.quote(found[0].full_name)
        raise UsageError.of("flags-ambiguous", message, f"name one: harbor-agent drift release {name}")
    return found[0]


def _check_allowed(node: DriftedNode, log: CorrectionLog, *, accept_restart: bool) -> DriftedNode:
    """Return the node with the problem that forbids its correction, if there is one."""
    if node.quarantine:
        return replace(node, problem=_describe_quarantine(node.quarantine, log))
    if problem := _find_missing_approval(node):
        return replace(node, problem=problem)
    planned = node.planned if accept_restart else refuse_unconsented(node.planned)
    if planned.problem:
        return replace(node, planned=planned, problem=planned.problem)
    if planned.outcome is not Outcome.PENDING:
        return replace(node, problem=_describe_kept_edit(node))
    found = {corrected.path: corrected.found for corrected in _list_corrected_files(node)}
    reverted = find_reverted_file(found, log.list_corrections(node.name, node.planned.node.place))
    if reverted is None:
        return node
    quarantine = _build_quarantine(node, *reverted)
    log.quarantine(quarantine)
    return replace(node, quarantine=quarantine, problem=_describe_quarantine(quarantine, log))


def _list_corrected_files(node: DriftedNode) -> list[CorrectedFile]:
    """Return the files that the correction will change, as they are now; the path "" is the daemon itself."""
    plan = node.planned.decision
    changes = plan.changes if isinstance(plan, Plan) else ()
    place = node.planned.node.place
    found = [
        CorrectedFile(node=node.name, place=place, path=change.path, found=hash_content(change.before))
        for change in changes
    ]
    return found or [CorrectedFile(node=node.name, place=place, path="", found="")]


def _build_quarantine(node: DriftedNode, path: str, reason: str) -> Quarantine:
    plan = node.planned.decision
    changes = plan.changes if isinstance(plan, Plan) else ()
    contents = {change.path: change.before.content or b"" for change in changes}
    return Quarantine(
        node=node.name,
        place=node.planned.node.place,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        path=path,
        reason=reason,
        owner=find_announced_owner(contents.get(path, b"")),
    )


def _describe_quarantine(quarantine: Quarantine, log: CorrectionLog) -> Problem:
    owner = f"the file says '{quarantine.owner}'" if quarantine.owner else "the file does not name it"
    if quarantine.path:
        cause = f"another program rewrites {quarantine.path} ({owner})"
    else:
        cause = "the runtime returns to its earlier configuration"
    return Problem(
        code="drift-quarantined",
        message=f"{cause}: {quarantine.reason}; in quarantine since {quarantine.since}",
        hint=f"configure the registry in that program, then run harbor-agent drift release {log.find_name(quarantine)}",
    )


def _find_missing_approval(node: DriftedNode) -> Problem | None:
    record = find_record(node.planned.state) if node.planned.state else None
    if record and record.approved_run and record.policy_digest == policy_digest(node.planned.policy):
        return None
    run = f"run {record.run_id}" if record else "any run"
    return Problem(
        code="drift-not-approved",
        message=f"the current settings differ from those of {run} and have not been approved for this node",
        hint="run harbor-agent apply, which shows the plan and asks",
    )


def _describe_kept_edit(node: DriftedNode) -> Problem:
    return Problem(
        code="drift-edit-kept",
        message=f"no correction needed, the setting is still in effect: {node.planned.reason}",
        hint="run harbor-agent apply to accept the edit into the record, or undo the edit",
    )


def _describe_node_limit(limits: DriftLimits) -> Problem:
    return Problem(
        code="drift-left-over",
        message=f"not corrected in this run, which corrects at most {limits.max_nodes} nodes",
        hint="run it again, or raise drift.max_nodes",
    )


def _describe_suspect_drift(drifted: int, recorded: int, limits: DriftLimits) -> Problem:
    return Problem(
        code="drift-suspect",
        message=f"{drifted} of {recorded} nodes drifted at once, more than drift.max_drifted ({limits.max_drifted}) "
        "allows; nothing is corrected, because an error in settings or inventory is more likely",
        hint="check settings and inventory; then raise --max-drifted, or run harbor-agent apply",
    )


def _describe_missing_history(problem: Problem) -> Problem:
    return Problem(
        code="drift-without-history",
        message="nothing is corrected: without the history, files that another program reverts cannot be detected: "
        f"{problem.message}",
        hint=problem.hint,
    )

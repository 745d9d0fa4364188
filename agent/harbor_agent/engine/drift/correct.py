"""Bring drifted nodes back to what a person asked for before, and to nothing else: apply under a stricter policy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import CorrectedFile, CorrectionLog
from harbor_agent.engine.exit_codes import drift_exit_code, most_severe
from harbor_agent.engine.history.database import HistoryError
from harbor_agent.engine.plan.run_plan import RunPlan, refuse_unconsented
from harbor_agent.engine.request.credentials import read_logins
from harbor_agent.engine.request.resolve import require_registry
from harbor_agent.engine.rollout.run import apply_run
from harbor_agent.errors import AgentError, ExitCode, Problem, UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import Quarantine, RunKind
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import DriftStatus, find_reverted_file, hash_content, is_suspect
from harbor_agent.planning.files.managed import announced_owner
from harbor_agent.planning.node import find_record

if TYPE_CHECKING:
    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.model.policy import DriftLimits

_UNTOUCHED = frozenset({Outcome.SKIPPED, Outcome.REFUSED, Outcome.UNREACHABLE})
_REFUSED = frozenset({"drift-quarantined", "containers-would-stop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """What will be corrected, of all that drifted. `blocked_by` is why nothing will, although it might."""

    report: DriftReport
    chosen: tuple[DriftedNode, ...] = ()
    blocked_by: Problem | None = None


def choose_corrections(report: DriftReport, limits: DriftLimits, *, accept_restart: bool) -> Corrections:
    """Choose the nodes that may be brought back; every other drifted node gets the problem that forbids it.

    A node on which a fight shows goes into quarantine here. Raises UsageError where no registry is named.
    """
    require_registry([node.planned.policy for node in report.nodes])
    drifted = [node for node in report.nodes if node.status is DriftStatus.DRIFT]
    recorded = sum(1 for node in report.nodes if node.planned.state and find_record(node.planned.state))
    if is_suspect(len(drifted), recorded, limits):
        return Corrections(report=report, blocked_by=_suspect(len(drifted), recorded, limits))
    try:
        with CorrectionLog() as memory:
            judged = {node.name: _check_allowed(node, memory, accept_restart=accept_restart) for node in drifted}
    except AgentError as error:
        return Corrections(report=report, blocked_by=_without_memory(error.problem))
    free = [node for node in judged.values() if node.problem is None]
    judged |= {node.name: replace(node, problem=_left_over(limits)) for node in free[limits.max_nodes :]}
    nodes = tuple(judged.get(node.name, node) for node in report.nodes)
    return Corrections(report=replace(report, nodes=nodes), chosen=tuple(free[: limits.max_nodes]))


def correct(corrections: Corrections, listener: Listener, stop: StopRequest) -> Report:
    """Correct the chosen nodes one by one, and stop at the first that fails. Raises as `apply_run` does."""
    report = corrections.report
    rollout = replace(report.general.rollout, canary=0, batch=1, max_failed=0, max_unreachable=0)
    nodes = tuple(node.planned for node in corrections.chosen)
    run_plan = RunPlan(
        request=report.request,
        general=replace(report.general, rollout=rollout),
        nodes=nodes,
        credentials=read_logins([report.general, *(node.policy for node in nodes)]),
        kind=RunKind.CORRECT,
    )
    with CorrectionLog() as memory:
        added = memory.add([corrected for node in corrections.chosen for corrected in _found(node)])
        try:
            ended = apply_run(run_plan, listener, stop)
        except AgentError:
            with suppress(HistoryError):
                memory.forget(added, [node.name for node in corrections.chosen])
            raise
        try:
            memory.forget(added, [result.node for result in ended.results if result.outcome in _UNTOUCHED])
        except HistoryError as error:  # nodes were changed: the report of that is not to be lost
            ended = replace(ended, warnings=(*ended.warnings, error.problem))
    return ended


def correction_exit_code(corrections: Corrections, ended: Report | None) -> ExitCode:
    """Return the exit code of a correction: the run's, and that of what it left as it is."""
    chosen = {node.name for node in corrections.chosen} if ended else set()
    rest = [node for node in corrections.report.nodes if node.name not in chosen]
    codes = [drift_exit_code(node.status for node in rest)]
    codes += [ExitCode.REFUSED for node in rest if node.problem and _is_refusal(node)]
    codes += [ended.exit_code] if ended else []
    codes += [ExitCode.STOPPED] if corrections.blocked_by else []
    return ended.exit_code if ended and ended.exit_code >= ExitCode.BUG else most_severe(codes)


def release(node: str) -> Quarantine:
    """Let a node out of quarantine. Raises UsageError (`drift-not-quarantined`) where it is in none."""
    with CorrectionLog() as memory:
        found = memory.release(node)
    if found is None:
        message = f"{node} is not in quarantine"
        raise UsageError.of("drift-not-quarantined", message, "harbor-agent drift lists the nodes that are")
    return found


def _check_allowed(node: DriftedNode, memory: CorrectionLog, *, accept_restart: bool) -> DriftedNode:
    """Return the node with the problem that forbids its correction, if there is one."""
    if node.quarantine:
        return replace(node, problem=_quarantined(node.quarantine))
    if problem := _not_approved(node):
        return replace(node, problem=problem)
    planned = node.planned if accept_restart else refuse_unconsented(node.planned)
    if planned.problem:
        return replace(node, planned=planned, problem=planned.problem)
    if planned.outcome is not Outcome.PENDING:
        return replace(node, problem=_edit_kept(node))
    found = {corrected.path: corrected.found for corrected in _found(node)}
    lost = find_reverted_file(found, memory.of_node(node.name))
    if lost is None:
        return node
    quarantine = _new_quarantine(node, *lost)
    memory.quarantine(quarantine)
    return replace(node, quarantine=quarantine, problem=_quarantined(quarantine))


def _found(node: DriftedNode) -> list[CorrectedFile]:
    """Return what is on the node where the correction will change something; the daemon itself is the path ""."""
    plan = node.planned.decision
    changes = plan.changes if isinstance(plan, Plan) else ()
    found = [CorrectedFile(node=node.name, path=change.path, found=hash_content(change.before)) for change in changes]
    return found or [CorrectedFile(node=node.name, path="", found="")]


def _new_quarantine(node: DriftedNode, path: str, reason: str) -> Quarantine:
    plan = node.planned.decision
    changes = plan.changes if isinstance(plan, Plan) else ()
    contents = {change.path: change.before.content or b"" for change in changes}
    return Quarantine(
        node=node.name,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        path=path,
        reason=reason,
        owner=announced_owner(contents.get(path, b"")),
    )


def _quarantined(quarantine: Quarantine) -> Problem:
    owner = f"the file says '{quarantine.owner}'" if quarantine.owner else "it does not say who writes it"
    what = f"somebody else rewrites {quarantine.path} ({owner})" if quarantine.path else "dockerd keeps being set back"
    return Problem(
        code="drift-quarantined",
        message=f"{what}: {quarantine.reason}; only reported since {quarantine.since}",
        hint=f"set the registry where that comes from, then harbor-agent drift release {quarantine.node}",
    )


def _not_approved(node: DriftedNode) -> Problem | None:
    record = find_record(node.planned.state) if node.planned.state else None
    if record and record.approved_run and record.policy_digest == policy_digest(node.planned.policy):
        return None
    run = f"what run {record.run_id} applied" if record else "anything that was applied"
    return Problem(
        code="drift-not-approved",
        message=f"what is wanted of it today is not {run}, so nobody has asked for it there yet",
        hint="harbor-agent apply shows the plan and asks",
    )


def _edit_kept(node: DriftedNode) -> Problem:
    return Problem(
        code="drift-edit-kept",
        message=f"nothing is to be corrected, what is wanted is in force all the same: {node.planned.reason}",
        hint="harbor-agent apply takes the edit into the record; or undo it by hand",
    )


def _left_over(limits: DriftLimits) -> Problem:
    return Problem(
        code="drift-left-over",
        message=f"left for another run: one corrects {limits.max_nodes} nodes at most",
        hint="run it again, or raise drift.max_nodes",
    )


def _suspect(drifted: int, recorded: int, limits: DriftLimits) -> Problem:
    return Problem(
        code="drift-suspect",
        message=f"{drifted} of {recorded} nodes drifted at once, more than drift.max_drifted ({limits.max_drifted}) "
        "allows: likelier our input is wrong than all of them, so nothing is corrected",
        hint="look at settings and inventory; then raise --max-drifted, or harbor-agent apply",
    )


def _without_memory(problem: Problem) -> Problem:
    return Problem(
        code="drift-without-history",
        message=f"without a history a fight would not show, so nothing is corrected: {problem.message}",
        hint=problem.hint,
    )


def _is_refusal(node: DriftedNode) -> bool:
    return node.planned.outcome is Outcome.REFUSED or bool(node.problem and node.problem.code in _REFUSED)

"""How nodes stand against what they remember, and that against what is wanted today. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.exit_codes import drift_exit_code
from harbor_agent.engine.plan.nodes import load_nodes, open_transport, plan_nodes
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.result import Outcome
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import DriftStatus, classify
from harbor_agent.planning.node import find_runtime
from harbor_agent.planning.refusal import find_pending_transaction

if TYPE_CHECKING:
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.errors import ExitCode
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.runs import Quarantine
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.drift import NodeDrift

_UNSEEN = {
    Outcome.SKIPPED: DriftStatus.SKIPPED,
    Outcome.UNREACHABLE: DriftStatus.UNREACHABLE,
    Outcome.FAILED: DriftStatus.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedNode:
    """One node: what differs (None where that is not known), and what makes it be left alone, if anything does."""

    planned: PlannedNode
    status: DriftStatus
    reason: str
    drift: NodeDrift | None = None
    problem: Problem | None = None
    quarantine: Quarantine | None = None

    @property
    def name(self) -> str:
        """The node's name."""
        return self.planned.node.name


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """All nodes that were asked for. `general` is today's policy, as far as one is named."""

    request: RunRequest
    general: Policy
    nodes: tuple[DriftedNode, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code where nothing is corrected."""
        return drift_exit_code(node.status for node in self.nodes)


def detect_drift(request: RunRequest, listener: Listener) -> DriftReport:
    """Look at every node. Raises UsageError for a wrong inventory or wrong settings; a registry need not be named."""
    resolved = resolve(request, load_nodes(request.selection, listener))
    planned = plan_nodes(open_transport(request.selection), resolved.nodes, request, listener)
    quarantines, warnings = _quarantines()
    return DriftReport(
        request=request,
        general=resolved.general,
        nodes=tuple(_judged(one, quarantines.get(one.node.name)) for one in planned),
        warnings=warnings,
    )


def _quarantines() -> tuple[dict[str, Quarantine], tuple[Problem, ...]]:
    from harbor_agent.engine.drift.corrections import CorrectionLog  # noqa: PLC0415 - SQLite is not needed by commands that do not ask for it

    try:
        with CorrectionLog() as memory:
            return memory.quarantines(), (memory.moved_aside,) if memory.moved_aside else ()
    except AgentError as error:
        return {}, (error.problem,)


def _judged(planned: PlannedNode, quarantine: Quarantine | None) -> DriftedNode:
    state = planned.state
    if state is None:
        status = _UNSEEN[planned.outcome]
        return DriftedNode(planned=planned, status=status, reason=planned.reason, problem=planned.problem)
    if blind := _why_unknown(planned, state):
        status, problem = blind
        return DriftedNode(planned=planned, status=status, reason=problem.message, problem=problem)
    drift = classify(state, policy_digest(planned.policy) if planned.policy.registries else None)
    absent = f"{find_runtime(state).NAME}-absent"
    no_runtime = planned.problem if planned.problem and planned.problem.code == absent else None
    return DriftedNode(
        planned=planned,
        status=drift.status,
        reason=drift.reason,
        drift=drift,
        problem=no_runtime,
        quarantine=quarantine,
    )


def _why_unknown(planned: PlannedNode, state: NodeState) -> tuple[DriftStatus, Problem] | None:
    """Return why the record says nothing: it cannot be read, or is about to change."""
    known = [*state.unreadable, *(planned.decision.warnings if planned.decision else ())]
    problems = {problem.code: problem for problem in known}
    if not state.system.privileged:
        without = Problem(code="not-root", message="the record on the node can be read by root only", hint="")
        return DriftStatus.UNREACHABLE, problems.get("seen-without-privileges", without)
    if pending := find_pending_transaction(state):
        return DriftStatus.BUSY, pending
    if "record-unreadable" in problems:
        return DriftStatus.FAILED, problems["record-unreadable"]
    return None

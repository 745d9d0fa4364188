"""Compares nodes with their records, and the records with the current settings. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import CorrectionLog, find_quarantine
from harbor_agent.engine.drift.dns import detect_dns_drift
from harbor_agent.engine.drift.secrets import detect_secret_drift
from harbor_agent.engine.exit_codes import compute_drift_exit_code, find_most_severe
from harbor_agent.engine.plan.dns import find_nameservers
from harbor_agent.engine.plan.fleet import load_fleet
from harbor_agent.engine.plan.nodes import open_transport, plan_nodes
from harbor_agent.engine.plan.settle import replan_busy_nodes
from harbor_agent.engine.request.expiry import describe_ending, find_certificate_ends
from harbor_agent.engine.request.resolve import resolve, resolve_kubelet_logins
from harbor_agent.errors import AgentError
from harbor_agent.model.result import Outcome
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import DriftStatus, classify
from harbor_agent.planning.node import find_runtime
from harbor_agent.planning.refusal import find_pending_transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.drift.dns import DnsDrift
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.expiry import CertificateEnd
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.errors import ExitCode, Problem
    from harbor_agent.model.inventory import Scope
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
    """One node: its differences if they are known, and the problem that forbids its correction."""

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
    """All selected nodes. `general` is the current policy without variables of nodes.

    `certificates` are those of the registries over HTTPS. `dns` and `secrets` are None if the check is not about them.
    """

    request: RunRequest
    general: Policy
    nodes: tuple[DriftedNode, ...]
    warnings: tuple[Problem, ...] = ()
    certificates: tuple[CertificateEnd, ...] = ()
    dns: DnsDrift | None = None
    secrets: SecretsDrift | None = None
    scope: Scope | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code if nothing is corrected."""
        codes = [compute_drift_exit_code(node.status for node in self.nodes)]
        return find_most_severe([*codes, *(part.exit_code for part in (self.dns, self.secrets) if part)])


def detect_drift(request: RunRequest, listener: Listener, *, correcting: bool = False) -> DriftReport:
    """Detect drift on every node. Raises UsageError for an error in inventory or settings; a registry is not needed.

    Before a correction, nodes on which a transaction is under way are compared once it has ended, if it ends within
    `rollout.health_deadline`, and the logins that kubelet should have are read, so that they can be restored.
    """
    fleet = load_fleet(request.selection, listener)
    resolved = resolve(request, fleet.nodes)
    resolved = resolve_kubelet_logins(resolved) if correcting else resolved
    transport = open_transport(request.selection)

    def replan(nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
        return plan_nodes(transport, [(p.node, p.policy) for p in nodes], request, listener)

    own = {node.name for node in fleet.own_nodes}
    planned = plan_nodes(transport, [one for one in resolved.nodes if one[0].name in own], request, listener)
    if correcting:
        planned = replan_busy_nodes(transport, planned, replan, resolved.general.rollout.health_deadline, listener)
    quarantines, warnings = _load_quarantines()
    certificates = find_certificate_ends(resolved.policies)
    reached = [one.node for one in planned if one.state is not None]
    return DriftReport(
        request=request,
        general=resolved.general,
        nodes=tuple(
            _classify_node(one, find_quarantine(quarantines, one.node.name, one.node.place)) for one in planned
        ),
        warnings=(*warnings, *describe_ending(certificates)),
        certificates=certificates,
        dns=detect_dns_drift(
            resolved.general, request.flags.context, quarantines, partial(find_nameservers, transport, reached)
        )
        if fleet.scope.does_cluster_part
        else None,
        secrets=detect_secret_drift(resolved.policies, resolved.general.kubeconfig, request.flags.context, quarantines)
        if fleet.scope.does_cluster_part
        else None,
        scope=fleet.scope,
    )


def _load_quarantines() -> tuple[list[Quarantine], tuple[Problem, ...]]:
    try:
        with CorrectionLog() as log:
            return log.list_quarantines(), (log.moved_aside,) if log.moved_aside else ()
    except AgentError as error:
        return [], (error.problem,)


def _classify_node(planned: PlannedNode, quarantine: Quarantine | None) -> DriftedNode:
    state = planned.state
    if state is None:
        status = _UNSEEN[planned.outcome]
        return DriftedNode(planned=planned, status=status, reason=planned.reason, problem=planned.problem)
    if obstacle := _find_obstacle(planned, state):
        status, problem = obstacle
        return DriftedNode(planned=planned, status=status, reason=problem.message, problem=problem)
    drift = classify(state, policy_digest(planned.policy) if planned.policy.registries else None)
    refused = planned.problem
    # Such a node pulls nothing, even with the right files.
    is_out = refused is not None and refused.code in (f"{find_runtime(state).NAME}-absent", "cri-not-loaded")
    return DriftedNode(
        planned=planned,
        status=drift.status,
        reason=drift.reason,
        drift=drift,
        problem=refused if is_out else None,
        quarantine=quarantine,
    )


def _find_obstacle(planned: PlannedNode, state: NodeState) -> tuple[DriftStatus, Problem] | None:
    """Return why the record cannot be compared: it is unreadable, or about to change."""
    known = [*state.unreadable, *(planned.decision.warnings if planned.decision else ())]
    problems = {problem.code: problem for problem in known}
    if pending := find_pending_transaction(state):
        return DriftStatus.BUSY, pending
    if "record-unreadable" in problems:
        return DriftStatus.FAILED, problems["record-unreadable"]
    return None

"""Rollback to the state before a run, or before the first change: planned like any other change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.fleet import load_fleet
from harbor_agent.engine.plan.nodes import PlannedNode, open_transport, refuse_node
from harbor_agent.engine.plan.pending import end_pending_transactions
from harbor_agent.engine.plan.probe import probe_nodes
from harbor_agent.engine.plan.run_plan import RunPlan
from harbor_agent.engine.plan.settle import replan_busy_nodes
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.engine.rollout.dns import find_kubeconfig, find_past_dns, plan_dns_rollback
from harbor_agent.errors import Problem, UsageError
from harbor_agent.model.plan import Refusal
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PRISTINE, RunKind
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.node import find_record, plan_restoration
from harbor_agent.planning.rollback import find_objection_to_rollback
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.probe import ProbeResult
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.snapshot import Snapshot
    from harbor_agent.transport.protocol import Transport

LAST = "last"
_UNKNOWN_RUN = frozenset({"history-unknown", "history-empty"})
_NAMED_AT_MOST = 3
_TIMEOUT = 45.0


def plan_rollback(request: RunRequest, what: str, listener: Listener) -> RunPlan:
    """Plan the rollback of every node, and of the cluster's DNS.

    `what` is a run, "last" (each node's own last change) or "pristine"; only a run concerns DNS.
    A node without that run is skipped; one whose files were edited since is refused. Nodes on which a transaction is
    under way are planned once it has ended, if it ends within `rollout.health_deadline`; interrupted ones are rolled
    back first. Raises UsageError for an error in settings or inventory, an invalid run ID, and a run of which no node
    has a change.
    """
    general = resolve(request).general
    transport = open_transport(request.selection)
    past = find_past_dns(what)
    has_nodes = past is None or past.kind is not RunKind.DNS
    fleet = load_fleet(request.selection, listener) if has_nodes else None
    nodes = [node for node in fleet.own_nodes if node.skip_reason is None] if fleet else []

    def replan(nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
        return _plan_nodes(transport, [p.node for p in nodes], what, listener)

    planned = _plan_nodes(transport, nodes, what, listener)
    planned = replan_busy_nodes(transport, planned, replan, general.rollout.health_deadline, listener)
    planned = end_pending_transactions(transport, planned, replan, listener)
    dns = None
    shard = request.selection.shard
    if past and (shard is None or shard.is_first):
        kubeconfig, context = find_kubeconfig(past)
        general = replace(general, kubeconfig=general.kubeconfig or kubeconfig)
        request = replace(request, flags=replace(request.flags, context=context))
        dns = plan_dns_rollback(past, general.kubeconfig, context)
    elif shard is None:
        _require_known_run(what, planned)  # a shard may have no node of the run
    rollout = replace(general.rollout, drain=request.drain or general.rollout.drain)
    return RunPlan(
        request=request,
        general=replace(general, rollout=rollout),
        nodes=tuple(planned),
        dns=dns,
        kind=RunKind.ROLLBACK,
        rolls_back=what,
        scope=fleet.scope if fleet else None,
    )


def _plan_nodes(transport: Transport, nodes: Sequence[Node], what: str, listener: Listener) -> list[PlannedNode]:
    """Probe every node, and plan the state before the run. Changes nothing."""
    targets = [(node, ()) for node in nodes]
    seen = {one.node.name: one for one in probe_nodes(transport, targets, timeout=_TIMEOUT, listener=listener)}
    snapshots = _fetch_snapshots(transport, [node for node in nodes if seen[node.name].state is not None], what)
    return [_plan_node(node, seen[node.name], snapshots.get(node.name), what) for node in nodes]


def _require_known_run(what: str, planned: Sequence[PlannedNode]) -> None:
    """Raise UsageError (`run-unknown`) if every node answered, and none of them has a transaction of this run."""
    unknown = [p for p in planned if p.problem and p.problem.code in _UNKNOWN_RUN]
    if what in (LAST, PRISTINE) or not planned or len(unknown) < len(planned):
        return
    kept = "; ".join(f"{p.node.name}: {p.reason}" for p in unknown[:_NAMED_AT_MOST])
    more = f"; and {len(unknown) - _NAMED_AT_MOST} more nodes" if len(unknown) > _NAMED_AT_MOST else ""
    raise UsageError.of(
        "run-unknown",
        f"no node has a change of run '{what}' that can be rolled back: {kept}{more}",
        "list the runs with harbor-agent history, and the nodes of one with harbor-agent history show RUN",
    )


def _fetch_snapshots(transport: Transport, nodes: Sequence[Node], what: str) -> dict[str, Snapshot | Problem]:
    try:
        program = wire.build_snapshot_program(what)
    except ValueError:
        raise UsageError.of(
            "run-name-invalid", f"'{what}' is not a run ID", "copy the ID from the last line of the run"
        ) from None
    jobs = [Job(node=node, program=program, timeout=_TIMEOUT) for node in nodes]
    return {result.job.node.name: decode_answer(result, wire.decode_snapshot) for result in transport.run(jobs)}


def _plan_node(node: Node, seen: ProbeResult, snapshot: Snapshot | Problem | None, what: str) -> PlannedNode:
    base = PlannedNode(node=node, policy=Policy(registries=()), outcome=Outcome.UNREACHABLE, seconds=seen.seconds)
    if seen.state is None:
        outcome = Outcome.UNREACHABLE if seen.unreachable else Outcome.FAILED
        return replace(base, outcome=outcome, problem=seen.problem, reason=seen.problem.message if seen.problem else "")
    if snapshot is None or isinstance(snapshot, Problem):
        return _skip_without_snapshot(base, snapshot)
    record = find_record(seen.state)
    recorded = record.file_hashes if record and record.run_id == snapshot.transaction else {}
    edited = None if what == PRISTINE else find_objection_to_rollback(seen.state, snapshot.files, recorded)
    if edited is not None:
        return refuse_node(replace(base, state=seen.state), edited)
    point = "the first change" if what == PRISTINE else snapshot.transaction
    reason = f"restore the state before {point}"
    decision = plan_restoration(node.name, seen.state, snapshot, reason)
    if isinstance(decision, Refusal):
        return refuse_node(replace(base, state=seen.state), decision.problem)
    decision = replace(decision, warnings=(*decision.warnings, *seen.state.unreadable))
    outcome = Outcome.UNCHANGED if decision.is_empty else Outcome.PENDING
    return replace(base, outcome=outcome, decision=decision, reason=reason, state=seen.state)


def _skip_without_snapshot(base: PlannedNode, problem: Problem | None) -> PlannedNode:
    if problem is None:
        return base
    outcome = {"history-empty": Outcome.SKIPPED, "history-unknown": Outcome.SKIPPED}.get(problem.code, Outcome.FAILED)
    return replace(base, outcome=outcome, problem=problem, reason=problem.message)

"""Back to what was before a run, or to what the tool found first: planned, shown, and done like any other change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.history.lock import run_lock
from harbor_agent.engine.history.recorder import Start, recorded
from harbor_agent.engine.plan.nodes import PlannedNode, load_nodes, open_transport, refused
from harbor_agent.engine.plan.probe import probe_nodes
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.engine.rollout.context import RolloutContext
from harbor_agent.engine.rollout.kubernetes_hooks import rollout_hooks
from harbor_agent.engine.rollout.run import new_run_id, report_of
from harbor_agent.engine.rollout.waves import apply_plans
from harbor_agent.errors import Problem, UsageError
from harbor_agent.model.plan import Refusal
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.docker.rollback import objection_to_rollback, plan_restoration
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.probe import ProbeResult
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.engine.rollout.stop import StopRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.snapshot import Snapshot
    from harbor_agent.transport.protocol import Transport

PRISTINE = "pristine"
_TIMEOUT = 45.0


def plan_rollback(request: RunRequest, what: str, listener: Listener) -> list[PlannedNode]:
    """Plan every node back. `what` is a run, "last" (each node's own last change) or "pristine". Changes nothing.

    A node that knows nothing of the run is skipped; one whose files were edited since is refused.
    """
    transport = open_transport(request.selection)
    nodes = [node for node in load_nodes(request.selection, listener) if node.skip_reason is None]
    seen = {
        o.node.name: o for o in probe_nodes(transport, [(n, ()) for n in nodes], timeout=_TIMEOUT, listener=listener)
    }
    kept = _histories(transport, [node for node in nodes if seen[node.name].state is not None], what)
    return [_planned(node, seen[node.name], kept.get(node.name), what) for node in nodes]


def apply_rollback(
    request: RunRequest, planned: Sequence[PlannedNode], what: str, listener: Listener, stop: StopRequest
) -> Report:
    """Carry the plans out, wave by wave; nodes are drained where that is asked for or in the settings.

    `what` is what was given to `plan_rollback`, for the history. Raises LockedError where another run is under way,
    AgentError as `rollout_hooks` does.
    """
    policy = resolve(request).general
    rollout = replace(policy.rollout, drain=request.drain or policy.rollout.drain)
    run = RolloutContext(
        run_id=new_run_id(),
        transport=open_transport(request.selection),
        rollout=rollout,
        credentials={},
        listener=listener,
        note=request.note,
        stop=stop,
    )
    start = Start(run_id=run.run_id, kind=RunKind.ROLLBACK, request=request, nodes=planned, rolls_back=what)
    with run_lock(run.run_id), recorded(start, listener) as history:
        run = replace(run, listener=history)
        with rollout_hooks(run, planned, kubeconfig=policy.kubeconfig, context=request.flags.context) as surroundings:
            applied = apply_plans(replace(run, surroundings=surroundings), planned)
        report = report_of(run.run_id, applied, note=request.note)
        history.end(report.results, report.exit_code, report.halted)
    return replace(report, warnings=(*report.warnings, *history.warnings))


def _histories(transport: Transport, nodes: Sequence[Node], what: str) -> dict[str, Snapshot | Problem]:
    try:
        program = wire.history_program(what)
    except ValueError:
        raise UsageError.of(
            "run-name-invalid", f"'{what}' is no name of a run", "the last line of a run names it"
        ) from None
    jobs = [Job(node=node, program=program, timeout=_TIMEOUT) for node in nodes]
    return {result.job.node.name: decode_answer(result, wire.decode_history) for result in transport.run(jobs)}


def _planned(node: Node, seen: ProbeResult, history: Snapshot | Problem | None, what: str) -> PlannedNode:
    base = PlannedNode(node=node, policy=Policy(registries=()), outcome=Outcome.UNREACHABLE, seconds=seen.seconds)
    if seen.state is None:
        outcome = Outcome.UNREACHABLE if seen.unreachable else Outcome.FAILED
        return replace(base, outcome=outcome, problem=seen.problem, reason=seen.problem.message if seen.problem else "")
    if history is None or isinstance(history, Problem):
        return _without_history(base, history)
    edited = None if what == PRISTINE else objection_to_rollback(seen.state, history.files)
    if edited is not None:
        return refused(replace(base, state=seen.state), edited)
    reason = "back to what was found first" if what == PRISTINE else f"back to what was before {history.transaction}"
    decision = plan_restoration(node.name, seen.state, [backup.state for backup in history.files], reason)
    if isinstance(decision, Refusal):
        return refused(replace(base, state=seen.state), decision.problem)
    decision = replace(decision, warnings=(*decision.warnings, *seen.state.unreadable))
    outcome = Outcome.UNCHANGED if decision.is_empty else Outcome.CHANGE
    return replace(base, outcome=outcome, decision=decision, reason=reason, state=seen.state)


def _without_history(base: PlannedNode, problem: Problem | None) -> PlannedNode:
    if problem is None:
        return base
    outcome = {"history-empty": Outcome.SKIPPED, "history-unknown": Outcome.SKIPPED}.get(problem.code, Outcome.FAILED)
    return replace(base, outcome=outcome, problem=problem, reason=problem.message)

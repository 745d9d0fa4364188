"""The tasks of the Ansible collection: plan, apply and verify one host, with results as Ansible expects them.

The playbook sets waves and budgets (serial, max_fail_percentage). The lock of a run is not taken: the transaction of a
node is its own lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from harbor_agent.engine.history.scopes import remember_scopes
from harbor_agent.engine.plan.nodes import describe_pending, plan_nodes
from harbor_agent.engine.plan.reachability import Reach, find_unreachable_by_summary, summarize_reach
from harbor_agent.engine.plan.run_plan import refuse_unconsented
from harbor_agent.engine.request.credentials import read_logins
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.request.resolve import resolve, resolve_kubelet_logins, resolve_logins
from harbor_agent.engine.rollout.context import RolloutContext, create_run_id
from harbor_agent.engine.rollout.waves import roll_out, verify_unchanged
from harbor_agent.engine.secrets.logins import check_logins
from harbor_agent.engine.secrets.reconcile import apply_secrets, plan_secrets
from harbor_agent.errors import AgentError, StoppedError, UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.policy import Rollout
from harbor_agent.model.result import Outcome
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.planning.node import find_runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Event
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.result import NodeResult
    from harbor_agent.transport.protocol import Transport

Phase = Literal["login", "probe", "reach", "require_reach", "plan", "apply", "verify", "secret"]
Result = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """The arguments of one task. `nodes` are all hosts of the play, `node` is the one of this task.

    `run_id` joins the tasks of one playbook; "" starts a new run. `reach` has the results of the phase `reach` of all
    nodes. Check mode changes nothing.
    """

    phase: Phase
    node: Node
    nodes: Sequence[Node]
    config: str | None = None
    run_id: str = ""
    repair: bool = False
    accept_restart: bool = False
    note: str = ""
    reach: Sequence[Mapping[str, object]] = ()
    check_mode: bool = False


def run_task(request: TaskRequest, transport: Transport) -> Result:
    """Run one task and return its result for Ansible. Raises AgentError for an error that concerns the whole play."""
    match request.phase:
        case "login":
            return _check_logins(request, resolve(_build_request(request), request.nodes))
        case "secret":
            return _sync_secrets(request, resolve(_build_request(request), request.nodes))
        case "reach":
            return _summarize_reach(request, transport)
        case "require_reach":
            return _require_reach(request)
        case _:
            return _run_on_node(request, transport)


def _run_on_node(request: TaskRequest, transport: Transport) -> Result:
    if request.node.skip_reason is not None:
        return {"changed": False, "skipped": True, "msg": f"harbor_skip: {request.node.skip_reason}"}
    planned = _plan_node(request, transport)
    if request.phase == "probe":
        return _describe_probed(planned)
    if request.phase == "verify":
        return _verify_node(request, planned, transport)
    if not request.accept_restart:
        planned = refuse_unconsented(planned)
    if request.phase == "plan" or request.check_mode or planned.outcome is not Outcome.PENDING:
        return _describe_plan(planned)
    return _apply_plan(request, planned, transport)


def _plan_node(request: TaskRequest, transport: Transport) -> PlannedNode:
    run_request = _build_request(request)
    resolved = resolve_kubelet_logins(resolve(run_request, [request.node]))
    if not any(policy.registries for _, policy in resolved.nodes):
        raise UsageError.of(
            "registry-missing",
            "no registry is named",
            "set harbor_registries for the hosts, or put the registry into harbor-agent.yaml",
        )
    (planned,) = plan_nodes(transport, resolved.nodes, run_request, _ignore)
    return planned


def _build_request(request: TaskRequest) -> RunRequest:
    return RunRequest(config=request.config, repair=request.repair)


def _ignore(_event: Event) -> None:
    """Report no progress: Ansible reports the tasks."""


def _check_logins(request: TaskRequest, resolved: Resolved) -> Result:
    warnings = check_logins(resolved.policies, read_logins(resolved.policies))
    run_id = request.run_id or create_run_id()
    return {"changed": False, "run_id": run_id, "warnings": [warning.message for warning in warnings]}


def _summarize_reach(request: TaskRequest, transport: Transport) -> Result:
    """Never fails: the play that configures the nodes reports the errors."""
    with suppress(AgentError):
        return {"changed": False, "reach": asdict(summarize_reach(_plan_node(request, transport)))}
    return {"changed": False}


def _require_reach(request: TaskRequest) -> Result:
    """Raise StoppedError if nodes would restart for a registry that no node reaches; in check mode, warn."""
    summaries = [summary for result in request.reach if isinstance(summary := result.get("reach"), Mapping)]
    problem = find_unreachable_by_summary([Reach(**summary) for summary in summaries])
    if problem is None:
        return {"changed": False}
    problem = replace(problem, hint="check the address; or set harbor_agent_allow_unreachable_registry")
    if not request.check_mode:
        raise StoppedError(problem)
    return {"changed": False, "warnings": [_format_problem(problem)]}


def _sync_secrets(request: TaskRequest, resolved: Resolved) -> Result:
    secrets = resolve_logins(resolved).secrets
    if not secrets:
        return {"changed": False, "skipped": True, "msg": "no pull secret is requested"}
    kubeconfig = resolved.general.kubeconfig
    if request.check_mode:
        report = plan_secrets(secrets, kubeconfig, None)
    else:
        report = apply_secrets(secrets, kubeconfig, None, partial(remember_scopes, run_id=request.run_id))
    if report is None:
        return {"changed": False}
    problems = [item.result.problem for item in report.items if item.result.problem]
    failed = {"failed": True, "msg": "; ".join(map(_format_problem, problems))} if report.status == "failed" else {}
    items = [f"{item.result.namespace}/{item.result.name}: {item.result.outcome.value}" for item in report.items]
    return {"changed": report.status in {"change", "changed"}, "secrets": items, **failed}


def _describe_probed(planned: PlannedNode) -> Result:
    state = planned.state
    if state is None:
        return _describe_plan(planned)
    runtime = find_runtime(state)
    version = runtime.describe_process(state).version
    found = f"{runtime.DAEMON} {version}" if version else f"no {runtime.NAME}"
    return {"changed": False, "runtime": runtime.NAME, "runtime_version": version, "msg": found}


def _describe_plan(planned: PlannedNode) -> Result:
    decision = planned.decision
    result: Result = {
        "changed": planned.outcome is Outcome.PENDING,
        "outcome": planned.outcome.value,
        "msg": planned.reason,
        "diff": [{"prepared": render_diff(change)} for change in (decision.changes if decision else ())],
        "warnings": [_format_problem(warning) for warning in (decision.warnings if decision else ())],
    }
    if isinstance(decision, Plan):
        result |= {
            "route": decision.route.value,
            "action": decision.activation.action.value,
            "containers_stopped": [container.name for container in decision.activation.stops],
        }
    return result | _describe_problem(planned.outcome, planned.problem)


def _apply_plan(request: TaskRequest, planned: PlannedNode, transport: Transport) -> Result:
    rollout = roll_out(_build_context(request, planned, transport), [planned])
    return _describe_plan(planned) | _describe_result(rollout.results[0], changed=Outcome.CHANGED)


def _verify_node(request: TaskRequest, planned: PlannedNode, transport: Transport) -> Result:
    if planned.outcome is Outcome.PENDING:
        return {"changed": False} | _describe_problem(Outcome.FAILED, describe_pending(planned))
    if planned.outcome is not Outcome.UNCHANGED:
        return _describe_plan(planned)
    (result,) = verify_unchanged(_build_context(request, planned, transport), [planned])
    return _describe_result(result, changed=None)


def _build_context(request: TaskRequest, planned: PlannedNode, transport: Transport) -> RolloutContext:
    return RolloutContext(
        run_id=request.run_id or create_run_id(),
        transport=transport,
        rollout=Rollout(),
        credentials=read_logins([planned.policy]),
        listener=_ignore,
        note=request.note,
    )


def _describe_result(result: NodeResult, *, changed: Outcome | None) -> Result:
    facts: Result = {
        "changed": result.outcome is changed,
        "outcome": result.outcome.value,
        "verified": result.verified,
        "proof": result.proof.value if result.proof else None,
        "msg": result.reason,
    }
    if result.transaction:
        facts["transaction"] = result.transaction
    unverified = {"failed": True} if result.verified is False else {}
    return facts | _describe_problem(result.outcome, result.problem) | unverified


def _describe_problem(outcome: Outcome, problem: Problem | None) -> Result:
    """Return the members by which Ansible sees that a host failed or is unreachable."""
    if problem is None:
        return {}
    members: Result = {"msg": _format_problem(problem), "code": problem.code, "hint": problem.hint}
    match outcome:
        case Outcome.UNREACHABLE:
            return members | {"unreachable": True}
        case Outcome.FAILED | Outcome.REFUSED | Outcome.ROLLED_BACK | Outcome.ROLLBACK_FAILED | Outcome.UNKNOWN:
            return members | {"failed": True}
        case _:
            return members


def _format_problem(problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{problem.message} [{problem.code}]{hint}"

"""The outline of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, Plan, Refusal, Route
from harbor_agent.model.result import Outcome
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.views.outline.dns import outline_dns
from harbor_agent.views.outline.secrets import outline_secrets
from harbor_agent.views.outline.value import VERDICTS, Item, Outline, list_facts, list_words, time_steps
from harbor_agent.views.text.plan import describe_action, describe_stops, summarize_plan
from harbor_agent.views.text.secrets import count_secrets

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.errors import ExitCode


def outline_plan(plan: RunPlan, exit_code: ExitCode, *, counts_pending: bool) -> Outline:
    """Return the outline of `plan`; `counts_pending` is its option --exit-code."""
    secrets = outline_secrets(plan.secrets)
    return Outline(
        command="plan",
        summary=summarize_plan(plan.nodes) + count_secrets(plan.secrets),
        items=(*map(outline_node, plan.nodes), *outline_dns(plan.dns), *secrets),
        exit_code=int(exit_code),
        facts=list_facts({"note": plan.request.note}),
        warnings=(*plan.warnings, *(plan.secrets.warnings if plan.secrets else ())),
        counts_pending=counts_pending,
    )


def outline_node(planned: PlannedNode) -> Item:
    """Return a node as it is planned."""
    decision = planned.decision
    restarts = isinstance(decision, Plan) and decision.activation.action is Action.RESTART
    is_hypothetical = isinstance(decision, Refusal) and bool(decision.changes)
    return Item(
        name=planned.node.name,
        verdict=VERDICTS[planned.outcome],
        status=planned.outcome.value,
        title=describe_change(planned),
        reason="" if planned.problem else planned.reason,
        problem=planned.problem,
        objection=planned.objection,
        diff=render_changes(planned),
        remarks=(
            *(("the diff shows the change as it would be",) if is_hypothetical else ()),
            *(describe_stops(decision, planned.state) if isinstance(decision, Plan) and restarts else ()),
        ),
        warnings=decision.warnings if decision else (),
        runtime=planned.runtime if planned.state else "",
        timings=time_steps({"plan": planned.seconds}),
    )


def describe_change(planned: PlannedNode) -> tuple[str, ...]:
    """Return which kind of file changes and what that does to the daemon, nothing if nothing changes."""
    decision = planned.decision
    if planned.outcome is not Outcome.PENDING or not isinstance(decision, Plan):
        return ()
    route = decision.route.value if decision.route is not Route.NONE else ""
    return list_words(route, describe_action(decision.activation.action))


def render_changes(planned: PlannedNode) -> str:
    """Return the diff of all files."""
    return "".join(render_diff(change) for change in (planned.decision.changes if planned.decision else ()))

"""A plan as text: per node the outcome, the reason, the diff, and the containers that a restart stops."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.model.plan import Action, LiveRestore, Plan, Refusal, Route
from harbor_agent.model.result import Outcome
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.planning.node import choose_runtime, explain_runtime, find_runtime
from harbor_agent.views.text.common import get_comma
from harbor_agent.views.text.dns import dns_text
from harbor_agent.views.text.many.groups import NodeText, group_nodes, render_group
from harbor_agent.views.text.many.overview import describe_groups
from harbor_agent.views.text.many.remarks import fold_warnings
from harbor_agent.views.text.secrets import count_secrets, list_secrets_text
from harbor_agent.views.text.style import indent, render_problem, render_warnings, style_diff, style_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.state import NodeState

_ACTIONS = {Action.NONE: "files only", Action.RELOAD: "reload, no container stops", Action.RESTART: "restart"}


def plan_text(
    nodes: Sequence[PlannedNode],
    secrets: SecretsReport | None,
    warnings: Sequence[Problem] = (),
    dns: DnsReport | None = None,
    *,
    is_verbose: bool = False,
) -> str:
    """Return the whole plan: DNS, nodes with problems first and unchanged ones last, and a last line that sums up.

    More than a few nodes with the same text share a block, and warnings that more than a few nodes have follow once. A
    plan of many nodes ends with a line for each group of them. `is_verbose` leaves every node its warnings and adds how
    its runtime was found.
    """
    texts = [_describe_node(node, is_verbose=is_verbose) for node in nodes]
    kept, remarks = fold_warnings(texts, is_verbose=is_verbose)
    groups = group_nodes(kept)
    blocks = [dns_text(dns)] if dns else []
    blocks += [block for group in groups for block in render_group(group)]
    blocks += remarks
    if secrets is not None and (listed := list_secrets_text(secrets)):
        blocks.append(listed)
    if warnings:
        blocks.append("\n".join(render_warnings(warnings)))
    if overview := describe_groups(groups):
        blocks.append(overview)
    return "\n\n".join([*blocks, translate(summarize_plan(nodes) + count_secrets(secrets))])


def describe_action(action: Action) -> str:
    """Return in words what the change does to the daemon."""
    return _ACTIONS[action]


def summarize_plan(nodes: Sequence[PlannedNode]) -> str:
    """Return one line about a plan: how many nodes have each outcome."""
    found = Counter(node.outcome for node in nodes)
    actions = Counter(node.decision.activation.action for node in nodes if isinstance(node.decision, Plan))
    counted = [f"{actions[action]} {action.value}" for action in (Action.RELOAD, Action.RESTART) if actions[action]]
    to_change = f"{found[Outcome.PENDING]} to change" + (f" ({', '.join(counted)})" if counted else "")
    objections = sum(node.objection is not None for node in nodes)
    to_change += f", {objections} of them refused by apply without consent" if objections else ""
    others = (Outcome.UNCHANGED, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.FAILED, Outcome.SKIPPED)
    return "Plan: " + ", ".join([to_change, *(f"{found[o]} {o.value}" for o in others if found[o])])


def _describe_node(planned: PlannedNode, *, is_verbose: bool) -> NodeText:
    decision = planned.decision
    title = style_outcome(planned.outcome)
    if isinstance(decision, Plan) and planned.outcome is Outcome.PENDING:
        where = f"{decision.route.value}{get_comma()}" if decision.route is not Route.NONE else ""
        title += f"  {where}{translate(describe_action(decision.activation.action))}"
    problem: tuple[str, ...] = ()
    body: list[str] = []
    if planned.problem:
        message, *body = render_problem(planned.problem)
        problem = (message,)
    elif planned.reason:
        body.append(indent(translate(planned.reason)))
    if is_verbose and planned.state:
        runtime = explain_runtime(choose_runtime(planned.state, planned.policy.runtime))
        body.append(indent(translate(f"runtime: {runtime}")))
    if decision and isinstance(decision, Refusal) and decision.changes:
        body.append(indent(translate("the change would be:")))
    restarts = decision if isinstance(decision, Plan) and decision.activation.action is Action.RESTART else None
    return NodeText(
        name=planned.node.name,
        outcome=planned.outcome,
        title=title,
        body=tuple(body),
        diffs={change.path: indent(style_diff(render_diff(change))) for change in decision.changes} if decision else {},
        warnings=decision.warnings if decision else (),
        problem=problem,
        stops=(
            *(indent(translate(line)) for line in (describe_stops(restarts, planned.state) if restarts else ())),
            *describe_objection(planned.objection),
        ),
    )


def describe_objection(objection: Problem | None) -> list[str]:
    """Return the lines about a change that `apply` refuses without consent."""
    if objection is None:
        return []
    message, *hint = render_problem(objection)
    return [indent(translate(f"apply will refuse this change: {message.strip()}")), *hint]


def describe_stops(plan: Plan, state: NodeState | None) -> list[str]:
    """Return a line about the containers that the restart stops, nothing for a node without a daemon."""
    if state is None or state.offline:
        return []
    containers = plan.activation.stops
    if plan.activation.live_restore is LiveRestore.PLANNED:
        running = find_runtime(state).describe_process(state).containers or ()
        kept = ", ".join(container.name for container in running)
        return [f"live-restore is enabled before the restart and stays enabled; containers keep running: {kept}"]
    if not containers:
        return [
            "the restart stops no container" if plan.containers_seen else "containers that the restart stops: unknown"
        ]
    names = [f"{container.name} ({_describe_restart_of(container)})" for container in containers]
    return [f"the restart stops {len(containers)} container{'s' if len(containers) != 1 else ''}: {', '.join(names)}"]


def _describe_restart_of(container: RunningContainer) -> str:
    if container.kubernetes:
        return "kubelet starts it again"
    if container.comes_back:
        return container.restart_policy
    return f"{container.restart_policy or 'no'}: does not start again"

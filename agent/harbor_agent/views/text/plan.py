"""A plan as text: for each node what, where, why, the diff, and whom a restart stops."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, LiveRestore, Plan, Refusal, Route
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretPlan
from harbor_agent.planning.files.diff import unified_diff
from harbor_agent.views.text.style import render_problem, shorten_digest, style_diff, style_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.file import PlanFile
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.secrets.commands import ShownSecret
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.result import NodeResult
    from harbor_agent.model.state import NodeState


def plan_text(nodes: Sequence[PlannedNode], secrets: SecretsReport | None, warnings: Sequence[Problem] = ()) -> str:
    """Return the whole plan, what is wrong first and what is as wanted last; the last line sums up.

    Nodes of which the same is to be said are said together where there are many.
    """
    blocks = [block for group in _groups(nodes) for block in _group(group)]
    if secrets is not None:
        blocks.append(secrets_text(secrets))
    if warnings:
        blocks.append(warnings_text(warnings))
    return "\n\n".join([*blocks, summary(nodes)])


def warnings_text(warnings: Sequence[Problem]) -> str:
    """Return what is worth telling about the run as a whole."""
    return "\n".join(line for warning in warnings for line in _problem(warning))


def summary(nodes: Sequence[PlannedNode]) -> str:
    """Return the one line that sums up a plan."""
    found = Counter(node.outcome for node in nodes)
    actions = Counter(node.decision.activation.action for node in nodes if isinstance(node.decision, Plan))
    doing = [f"{actions[action]} {action.value}" for action in (Action.RELOAD, Action.RESTART) if actions[action]]
    to_change = f"{found[Outcome.CHANGE]} to change" + (f" ({', '.join(doing)})" if doing else "")
    others = (Outcome.UNCHANGED, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.FAILED, Outcome.SKIPPED)
    return "Plan: " + ", ".join([to_change, *(f"{found[o]} {o.value}" for o in others if found[o])])


def run_summary(results: Sequence[NodeResult], halted: str | None) -> str:
    """Return the one line that sums up a run."""
    found = Counter(result.outcome for result in results)
    parts = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in Outcome if found[outcome]]
    proven = sum(1 for result in results if result.verified)
    parts += [f"{proven} proven by a pull"] if proven else []
    parts += [f"halted: {halted}"] if halted else []
    return "Done: " + (", ".join(parts) or "no nodes")


def secrets_text(secrets: SecretsReport) -> str:
    """Return the lines about pull secrets, one a namespace."""
    lines = ["secret"]
    for item in secrets.items:
        result = item.result
        what = result.action.value if result.outcome is Outcome.CHANGE else ""
        title = f"  {result.namespace}/{result.name} for {item.registry}: {style_outcome(result.outcome)} {what}"
        lines.append(title.rstrip())
        if isinstance(result, SecretPlan) and result.outcome is Outcome.CHANGE:
            lines.append(f"    {result.reason}")
        lines += _problem(result.problem)
        for account in result.service_accounts:
            lines.append(f"    service account {account.name}: {style_outcome(account.outcome)}")
            lines += _problem(account.problem)
    for warning in secrets.warnings:
        lines += _problem(warning)
    return "\n".join(lines)


def shown_secrets_text(secrets: Sequence[ShownSecret]) -> str:
    """Return a line a secret."""
    if not secrets:
        return "there is no secret of harbor-agent"
    return "\n".join(
        f"{secret.namespace}/{secret.name}  {secret.username} at {secret.registry}"
        + (f"  attached to {', '.join(secret.service_accounts)}" if secret.service_accounts else "")
        for secret in secrets
    )


def plan_file_text(plan: PlanFile) -> str:
    """Return what a plan file holds."""
    lines = [f"made {plan.created_at} by {plan.tool}, good for {plan.valid_hours:g} hours"]
    lines += [f"note: {plan.request.note}"] if plan.request.note else []
    for node in plan.nodes:
        how = f"  {node.route}, {_ACTIONS[Action(node.action)]}" if node.status is Outcome.CHANGE else ""
        lines.append(f"{node.node}  {style_outcome(node.status)}{how}")
        for file in node.files:
            lines.append(f"  {file.path}: {shorten_digest(file.before)} -> {shorten_digest(file.after)}")
    return "\n".join(lines)


# So few nodes alike are shown one by one.
FEW = 3
_NAMED_TOGETHER = 8
_FIRST = (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.REFUSED)
_LAST = (Outcome.UNCHANGED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What is said of one node: `title` and `body` may be the same for others.

    What is wrong and what a restart stops, before and after the body, is about this one alone.
    """

    name: str
    outcome: Outcome
    title: str
    body: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()


def _groups(nodes: Sequence[PlannedNode]) -> list[list[_Said]]:
    """Return what is said of the nodes, together what is alike, in the order in which it is to be read."""
    groups: dict[tuple[str, tuple[str, ...]], list[_Said]] = {}
    for said in map(_said, nodes):
        groups.setdefault((said.title, said.body), []).append(said)
    return sorted(groups.values(), key=lambda group: _rank(group[0].outcome))


def _rank(outcome: Outcome) -> int:
    if outcome in _FIRST:
        return _FIRST.index(outcome) - len(_FIRST)
    return 1 + _LAST.index(outcome) if outcome in _LAST else 0


def _group(group: Sequence[_Said]) -> list[str]:
    """Return a block a node, or one for all of them."""
    if len(group) <= FEW:
        return ["\n".join([f"{said.name}  {said.title}", *said.wrong, *said.body, *said.stops]) for said in group]
    first = group[0]
    lines = [f"{len(group)} nodes  {first.title}", f"  {some_names([said.name for said in group])}"]
    lines += dict.fromkeys(line for said in group for line in said.wrong)
    lines += first.body
    if len({said.stops for said in group}) == 1:
        lines += first.stops
    else:
        lines += [f"  {said.name}: {line.strip()}" for said in group for line in said.stops]
    return ["\n".join(lines)]


def some_names(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = len(names) - _NAMED_TOGETHER
    return ", ".join(names[:_NAMED_TOGETHER]) + (f" and {more} more; -o json names all of them" if more > 0 else "")


def _said(planned: PlannedNode) -> _Said:
    decision = planned.decision
    title = style_outcome(planned.outcome)
    if isinstance(decision, Plan) and planned.outcome is Outcome.CHANGE:
        where = f"{decision.route.value}, " if decision.route is not Route.NONE else ""
        title += f"  {where}{_ACTIONS[decision.activation.action]}"
    wrong: tuple[str, ...] = ()
    body: list[str] = []
    if planned.problem:
        message, *body = render_problem(planned.problem)
        wrong = (message,)
    elif planned.reason:
        body.append(_indent(planned.reason))
    if decision:
        if isinstance(decision, Refusal) and decision.changes:
            body.append("  this is what it would take:")
        body += [_indent(style_diff(unified_diff(change))) for change in decision.changes]
        body += [line for warning in decision.warnings for line in _problem(warning)]
    stops: list[str] = []
    if isinstance(decision, Plan) and decision.activation.action is Action.RESTART:
        stops = _disruption(decision, planned.state)
    return _Said(
        name=planned.node.name,
        outcome=planned.outcome,
        title=title,
        body=tuple(body),
        wrong=wrong,
        stops=tuple(stops),
    )


_ACTIONS = {Action.NONE: "files only", Action.RELOAD: "reload, nothing stops", Action.RESTART: "restart"}


def _disruption(plan: Plan, state: NodeState | None) -> list[str]:
    if state is None or state.offline:
        return []
    containers = plan.activation.stops
    if plan.activation.live_restore is LiveRestore.PLANNED and state.docker:
        kept = ", ".join(container.name for container in state.docker.containers or ())
        return [f"  live-restore is switched on before the restart and stays on, so containers run on: {kept}"]
    if not containers:
        return [
            "  the restart stops no container"
            if plan.containers_seen
            else "  which containers the restart stops was not seen"
        ]
    names = [f"{c.name} ({_fate(c)})" for c in containers]
    return [f"  the restart stops {len(containers)} container{'s' if len(containers) != 1 else ''}: {', '.join(names)}"]


def _fate(container: RunningContainer) -> str:
    if container.kubernetes:
        return "kubelet starts it again"
    if container.comes_back:
        return container.restart_policy
    return f"{container.restart_policy or 'no'}: will not come back by itself"


def _problem(problem: Problem | None) -> list[str]:
    if problem is None:
        return []
    message, *hint = render_problem(problem)
    return [f"  warning: {message.strip()}", *hint]


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())

"""A plan as text: for each node what, where, why, the diff, and whom a restart stops."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent.cli.output import coloured_diff, coloured_outcome, problem_lines
from agent.model.plan import Action, LiveRestore, Plan, Refusal, Route
from agent.model.result import NodeResult, Outcome
from agent.model.secret import SecretPlan
from agent.planning.diff import unified_diff
from agent.planning.disruption import comes_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine.fleet import PlannedNode
    from agent.engine.plan_files import PlanFile
    from agent.engine.pull_secrets import ShownSecret
    from agent.engine.secrets import SecretsReport
    from agent.errors import Problem
    from agent.model.state import Container, NodeState


def plan_text(nodes: Sequence[PlannedNode], secrets: SecretsReport | None, findings: Sequence[Problem] = ()) -> str:
    """Return the whole plan; its last line sums up."""
    blocks = [_node(node) for node in nodes]
    if secrets is not None:
        blocks.append(secrets_text(secrets))
    if findings:
        blocks.append(findings_text(findings))
    return "\n\n".join([*blocks, summary(nodes)])


def findings_text(findings: Sequence[Problem]) -> str:
    """Return what is worth telling about the run as a whole."""
    return "\n".join(line for finding in findings for line in _problem(finding))


def summary(nodes: Sequence[PlannedNode]) -> str:
    """Return the one line that sums up a plan."""
    found = Counter(node.outcome for node in nodes)
    actions = Counter(node.decision.action for node in nodes if isinstance(node.decision, Plan))
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
        title = f"  {result.namespace}/{result.name} for {item.registry}: {coloured_outcome(result.outcome)} {what}"
        lines.append(title.rstrip())
        if isinstance(result, SecretPlan) and result.outcome is Outcome.CHANGE:
            lines.append(f"    {result.reason}")
        lines += _problem(result.problem)
        for account in result.service_accounts:
            lines.append(f"    service account {account.name}: {coloured_outcome(account.outcome)}")
            lines += _problem(account.problem)
    for finding in secrets.findings:
        lines += _problem(finding)
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
    lines = [f"made {plan.made} by {plan.tool}, good for {plan.hours:g} hours"]
    lines += [f"note: {plan.asked.note}"] if plan.asked.note else []
    for node in plan.nodes:
        how = f"  {node.route}, {_ACTIONS[Action(node.action)]}" if node.status is Outcome.CHANGE else ""
        lines.append(f"{node.node}  {coloured_outcome(node.status)}{how}")
        for file in node.files:
            lines.append(f"  {file.path}: {_short(file.before)} -> {_short(file.after)}")
    return "\n".join(lines)


def _short(fingerprint: str) -> str:
    """Return the head of the hash, or what there is in place of a regular file."""
    digest = fingerprint.rpartition(" ")[2]
    return digest[:12] if digest != "-" else fingerprint.partition(" ")[0]


def _node(planned: PlannedNode) -> str:
    decision = planned.decision
    title = f"{planned.node.name}  {coloured_outcome(planned.outcome)}"
    if isinstance(decision, Plan) and planned.outcome is Outcome.CHANGE:
        where = f"{decision.route.value}, " if decision.route is not Route.NONE else ""
        title += f"  {where}{_ACTIONS[decision.action]}"
    lines = [title]
    if planned.problem:
        lines += problem_lines(planned.problem)
    elif planned.reason:
        lines.append(_indent(planned.reason))
    if decision:
        if isinstance(decision, Refusal) and decision.changes:
            lines.append("  this is what it would take:")
        lines += [_indent(coloured_diff(unified_diff(change))) for change in decision.changes]
        lines += [line for finding in decision.findings for line in _problem(finding)]
    if isinstance(decision, Plan) and decision.action is Action.RESTART:
        lines += _disruption(decision, planned.state)
    return "\n".join(lines)


_ACTIONS = {Action.NONE: "files only", Action.RELOAD: "reload, nothing stops", Action.RESTART: "restart"}


def _disruption(plan: Plan, state: NodeState | None) -> list[str]:
    if state is None or state.offline:
        return []
    containers = plan.containers_bounced
    if plan.live_restore is LiveRestore.PLANNED and state.docker:
        kept = ", ".join(container.name for container in state.docker.containers)
        return [f"  live-restore is switched on before the restart and stays on, so containers run on: {kept}"]
    if not containers:
        seen = state.docker is not None and state.docker.live is not None
        return ["  the restart stops no container" if seen else "  which containers the restart stops was not seen"]
    names = [f"{c.name} ({_fate(c)})" for c in containers]
    return [f"  the restart stops {len(containers)} container{'s' if len(containers) != 1 else ''}: {', '.join(names)}"]


def _fate(container: Container) -> str:
    if container.kubernetes:
        return "kubelet starts it again"
    if comes_back(container):
        return container.restart_policy
    return f"{container.restart_policy or 'no'}: will not come back by itself"


def _problem(problem: Problem | None) -> list[str]:
    if problem is None:
        return []
    message, *hint = problem_lines(problem)
    return [f"  note: {message.strip()}", *hint]


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())

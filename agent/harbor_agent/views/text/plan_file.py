"""A plan file as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action
from harbor_agent.model.result import Outcome
from harbor_agent.views.text.plan import describe_action, describe_objection
from harbor_agent.views.text.style import shorten_digest, style_outcome

if TYPE_CHECKING:
    from harbor_agent.engine.plan.file import PlanFile


def plan_file_text(plan: PlanFile) -> str:
    """Return the origin and validity of a plan file, then a line per node with its files below."""
    lines = [f"created {plan.created_at} by {plan.tool}, valid for {plan.valid_hours:g} hours"]
    lines += [f"note: {plan.request.note}"] if plan.request.note else []
    for node in plan.nodes:
        how = f"  {node.route}, {describe_action(Action(node.action))}" if node.status is Outcome.PENDING else ""
        lines.append(f"{node.node}  {style_outcome(node.status)}{how}")
        lines += [
            f"  {file.path}: {shorten_digest(file.before)} -> {shorten_digest(file.after)}" for file in node.files
        ]
        lines += describe_objection(node.apply_refuses)
    for one in plan.dns:
        lines.append(f"{one.server}  {style_outcome(Outcome.PENDING)}")
        lines.append(f"  ConfigMap {one.config_map}: {shorten_digest(one.before)} -> {shorten_digest(one.after)}")
    to_change = sum(node.status is Outcome.PENDING for node in plan.nodes)
    return "\n".join([*lines, f"Plan: {to_change} of {len(plan.nodes)} nodes to change"])

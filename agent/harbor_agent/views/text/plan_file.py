"""A plan file as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.model.plan import Action
from harbor_agent.model.result import Outcome
from harbor_agent.views.text.common import FEW, count_nodes, list_names
from harbor_agent.views.text.plan import describe_action, describe_objection
from harbor_agent.views.text.style import indent, render_warnings, shorten_digest, style_diff, style_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.plan.file import PlanFile
    from harbor_agent.planning.rollout.approval import Approval, ApprovedConfigMap, ApprovedFile, ApprovedSecret

_ONLY_HASHES = (
    "this file has only hashes; for a plan file that shows the diffs: harbor-agent plan --out FILE --with-diffs"
)


def plan_file_text(plan: PlanFile) -> str:
    """Return the origin and validity of a plan file, then its DNS servers, nodes and pull secrets.

    A file is shown by its diff, or by hashes if the plan file has no diffs. More than a few nodes with the same text
    share a block.
    """
    lines = [translate(f"created {plan.created_at} by {plan.tool}, valid for {plan.valid_hours:g} hours")]
    lines += [translate(f"note: {plan.request.note}")] if plan.request.note else []
    lines += [line for one in plan.dns for line in _describe_config_map(one)]
    lines += [line for group in _group_nodes(plan.nodes) for line in _render_group(group)]
    lines += [line for one in plan.secrets for line in _describe_secret(one)]
    lines += render_warnings(plan.warnings)
    to_change = sum(node.status is Outcome.PENDING for node in plan.nodes)
    lines.append(translate(f"Plan: {to_change} of {len(plan.nodes)} nodes to change"))
    lines += [] if plan.with_diffs else [_ONLY_HASHES]
    return "\n".join(lines)


def _group_nodes(nodes: Sequence[Approval]) -> list[list[Approval]]:
    """Return the nodes by their text, in the order of the file."""
    groups: dict[tuple[str, ...], list[Approval]] = {}
    for node in nodes:
        groups.setdefault((_build_title(node), *_describe_node(node)), []).append(node)
    return list(groups.values())


def _render_group(group: Sequence[Approval]) -> Iterator[str]:
    if len(group) <= FEW:
        for node in group:
            yield f"{node.node}  {_build_title(node)}"
            yield from _describe_node(node)
        return
    yield f"{translate(count_nodes(len(group)))}  {_build_title(group[0])}"
    yield f"  {translate(list_names([node.node for node in group]))}"
    yield from _describe_node(group[0])


def _build_title(node: Approval) -> str:
    how = f"  {node.route}, {translate(describe_action(Action(node.action)))}" if node.status is Outcome.PENDING else ""
    return f"{style_outcome(node.status)}{how}"


def _describe_node(node: Approval) -> Iterator[str]:
    for file in node.files:
        yield _describe_file(file)
    yield from render_warnings(node.warnings)
    yield from describe_objection(node.apply_refuses)


def _describe_file(file: ApprovedFile) -> str:
    if file.diff is None:
        return f"  {file.path}: {shorten_digest(file.before)} -> {shorten_digest(file.after)}"
    return indent(style_diff(file.diff))


def _describe_config_map(one: ApprovedConfigMap) -> Iterator[str]:
    yield f"{one.server}  {style_outcome(Outcome.PENDING)}"
    if one.diff is None:
        yield f"  ConfigMap {one.config_map}: {shorten_digest(one.before)} -> {shorten_digest(one.after)}"
    else:
        yield indent(style_diff(one.diff))
    yield from describe_objection(one.apply_refuses)


def _describe_secret(secret: ApprovedSecret) -> Iterator[str]:
    action = "" if secret.action == "none" else f" {translate(secret.action)}"
    title = translate(f"secret {secret.namespace}/{secret.name} for {secret.registry}")
    yield f"{title}  {style_outcome(Outcome.PENDING)}{action}"
    yield from (f"  {key}" for key in secret.keys)
    yield from (
        indent(translate(f"service account {name}: {style_outcome(Outcome.PENDING)}"))
        for name in secret.service_accounts
    )

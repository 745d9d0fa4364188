"""Adds a pull secret to manifests by position: everything else stays, and the addition has the style of its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import Edit, find_line_end
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.formats.yaml.style import (
    BLOCKS,
    Style,
    find_dash,
    find_end,
    find_end_of_line,
    find_next_line,
    insert_in_brackets,
    write_inline,
    write_lines,
    write_scalar,
)
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from harbor_agent.formats.yaml.nodes import Spot
    from harbor_agent.formats.yaml.style import Value
    from harbor_agent.formats.yaml.workloads import ManifestWorkload


def add_pull_secret(text: str, found: ManifestWorkload, name: str) -> Edit:
    """Return the edit that adds a secret after the pod's other pull secrets. Raises NotEditableError."""
    style = _detect_style(text, found)
    item: Value = {"name": name}
    if found.pull_secrets is None:
        return _add_entry(text, found.spec, {"imagePullSecrets": [item]}, style)
    if isinstance(found.pull_secrets.node, SequenceNode):
        return _append_item(text, found.pull_secrets, found.pull_secrets.node, item, style)
    return _fill_value(text, found.pull_secrets, [item], style)


def set_annotation(text: str, found: ManifestWorkload, value: str) -> Edit:
    """Return the edit that sets the annotation's value. Raises NotEditableError."""
    style = _detect_style(text, found)
    if found.annotation:
        return _replace_value(text, found.annotation, value, style)
    entry: dict[str, Value] = {PULL_SECRETS_ANNOTATION: value}
    spot = found.annotations
    if spot is None:
        entry = {"annotations": entry}
        spot = found.metadata
    if spot is None:
        entry = {"metadata": entry}
        spot = found.template
    return _fill_value(text, spot, entry, style) if spot.is_null else _add_entry(text, spot, entry, style)


def _detect_style(text: str, found: ManifestWorkload) -> Style:
    """Return the style of the pod's first list."""
    spec = found.spec.node
    first = spec.value[0][0]
    style = Style(line_end=find_line_end(text), quoted=first.style == '"')
    if is_in_brackets(spec) or found.spec.key is None:
        return style
    key, items = next(((k, v) for k, v in spec.value if isinstance(v, SequenceNode)), (first, None))
    indent = key.start_mark.column - found.spec.key.start_mark.column
    dash = find_dash(text, items.value[0])[0] - key.start_mark.column if items and not is_in_brackets(items) else 0
    return replace(style, indent=indent, dash=dash) if indent > 0 and dash >= 0 else style


def _add_entry(text: str, spot: Spot, entry: dict[str, Value], style: Style) -> Edit:
    """Insert an entry before the others of a mapping; comments above the first one stay with it."""
    _require_editable(spot)
    node = spot.node
    if not isinstance(node, MappingNode):
        raise NotEditableError(spot.line, "expected a mapping")
    if node.flow_style:
        return insert_in_brackets(text, node, write_inline(entry, style)[1:-1])
    first = node.value[0][0]
    start, column = first.start_mark.index, first.start_mark.column
    lines = write_lines(entry, column, style)
    if spot.key and spot.key.start_mark.line < first.start_mark.line:
        start, column = find_next_line(text, spot.key.end_mark.index), 0
    else:
        lines[0] = lines[0].lstrip()
    return Edit(start=start, end=start, text=style.line_end.join([*lines, " " * column]))


def _append_item(text: str, spot: Spot, node: SequenceNode, item: Value, style: Style) -> Edit:
    """Append an item to a list that is not empty."""
    _require_editable(spot)
    if node.flow_style:
        return insert_in_brackets(text, node, write_inline(item, style), after=True)
    last = node.value[-1]
    dash, gap = find_dash(text, last)
    end = find_end_of_line(text, find_end(last))
    (line,) = write_lines(item, 0, style)
    return Edit(start=end, end=end, text=f"{style.line_end}{' ' * dash}-{' ' * gap}{line}")


def _fill_value(text: str, spot: Spot, value: Value, style: Style) -> Edit:
    """Set the value of a key without one: on new lines, or in place of `null` or empty brackets."""
    _require_editable(spot)
    start, end = spot.node.start_mark.index, spot.node.end_mark.index
    if start < end:
        return Edit(start=start, end=end, text=write_inline(value, style))
    if spot.in_flow or spot.key is None:
        return Edit(start=start, end=end, text=f" {write_inline(value, style)}")
    column = spot.key.start_mark.column + (style.dash if isinstance(value, list) else style.indent)
    at = find_end_of_line(text, start)
    return Edit(start=at, end=at, text="".join(f"{style.line_end}{line}" for line in write_lines(value, column, style)))


def _replace_value(text: str, spot: Spot, value: str, style: Style) -> Edit:
    """Replace the text of a key with the same quotes; in a block scalar, replace only the content."""
    _require_editable(spot)
    node = spot.node
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:
        return Edit(start=start, end=end, text=f" {write_scalar(value, style)}")
    written = node.style if isinstance(node, ScalarNode) else None
    if written not in BLOCKS:
        return Edit(start=start, end=end, text=write_scalar(value, replace(style, quoted=written == '"')))
    start = find_next_line(text, start)
    content = text[start:end].rstrip()
    first = content.lstrip("\r\n")
    indent = len(first) - len(first.lstrip(" "))
    return Edit(start=start, end=start + len(content), text=" " * indent + value)


def _require_editable(spot: Spot) -> None:
    if spot.obstacle:
        raise NotEditableError(spot.line, spot.obstacle)

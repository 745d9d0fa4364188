"""Adds a pull secret to manifests by position: everything else stays, and the addition has the style of its place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import LINE_END, Edit, find_line_end
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from yaml.nodes import Node

    from harbor_agent.formats.yaml.nodes import Spot
    from harbor_agent.formats.yaml.workloads import ManifestWorkload

# A value to write: text, or a list or mapping of such values.
Value = str | list["Value"] | dict[str, "Value"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./-]*\Z")
_NOT_STRINGS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_INDENT = 2
_BLOCKS = frozenset({"|", ">"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """The style of a workload: spaces per level, spaces before the dash of a list item, and whether keys are quoted."""

    line_end: str
    indent: int = _INDENT
    dash: int = 0
    quoted: bool = False


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


def _detect_style(text: str, found: ManifestWorkload) -> _Style:
    """Return the style of the pod's first list."""
    spec = found.spec.node
    first = spec.value[0][0]
    style = _Style(line_end=find_line_end(text), quoted=first.style == '"')
    if is_in_brackets(spec) or found.spec.key is None:
        return style
    key, items = next(((k, v) for k, v in spec.value if isinstance(v, SequenceNode)), (first, None))
    indent = key.start_mark.column - found.spec.key.start_mark.column
    dash = _find_dash(text, items.value[0])[0] - key.start_mark.column if items and not is_in_brackets(items) else 0
    return replace(style, indent=indent, dash=dash) if indent > 0 and dash >= 0 else style


def _add_entry(text: str, spot: Spot, entry: dict[str, Value], style: _Style) -> Edit:
    """Insert an entry before the others of a mapping; comments above the first one stay with it."""
    _require_editable(spot)
    node = spot.node
    if not isinstance(node, MappingNode):
        raise NotEditableError(spot.line, "expected a mapping")
    if node.flow_style:
        return _insert_in_brackets(text, node, _write_inline(entry, style)[1:-1])
    first = node.value[0][0]
    start, column = first.start_mark.index, first.start_mark.column
    lines = _write_lines(entry, column, style)
    if spot.key and spot.key.start_mark.line < first.start_mark.line:
        start, column = _find_next_line(text, spot.key.end_mark.index), 0
    else:
        lines[0] = lines[0].lstrip()
    return Edit(start=start, end=start, text=style.line_end.join([*lines, " " * column]))


def _append_item(text: str, spot: Spot, node: SequenceNode, item: Value, style: _Style) -> Edit:
    """Append an item to a list that is not empty."""
    _require_editable(spot)
    if node.flow_style:
        return _insert_in_brackets(text, node, _write_inline(item, style), after=True)
    last = node.value[-1]
    dash, gap = _find_dash(text, last)
    end = _find_end_of_line(text, _find_end(last))
    (line,) = _write_lines(item, 0, style)
    return Edit(start=end, end=end, text=f"{style.line_end}{' ' * dash}-{' ' * gap}{line}")


def _fill_value(text: str, spot: Spot, value: Value, style: _Style) -> Edit:
    """Set the value of a key without one: on new lines, or in place of `null` or empty brackets."""
    _require_editable(spot)
    start, end = spot.node.start_mark.index, spot.node.end_mark.index
    if start < end:
        return Edit(start=start, end=end, text=_write_inline(value, style))
    if spot.in_flow or spot.key is None:
        return Edit(start=start, end=end, text=f" {_write_inline(value, style)}")
    column = spot.key.start_mark.column + (style.dash if isinstance(value, list) else style.indent)
    at = _find_end_of_line(text, start)
    return Edit(
        start=at, end=at, text="".join(f"{style.line_end}{line}" for line in _write_lines(value, column, style))
    )


def _replace_value(text: str, spot: Spot, value: str, style: _Style) -> Edit:
    """Replace the text of a key with the same quotes; in a block scalar, replace only the content."""
    _require_editable(spot)
    node = spot.node
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:
        return Edit(start=start, end=end, text=f" {_write_scalar(value, style)}")
    written = node.style if isinstance(node, ScalarNode) else None
    if written not in _BLOCKS:
        return Edit(start=start, end=end, text=_write_scalar(value, replace(style, quoted=written == '"')))
    start = _find_next_line(text, start)
    content = text[start:end].rstrip()
    first = content.lstrip("\r\n")
    indent = len(first) - len(first.lstrip(" "))
    return Edit(start=start, end=start + len(content), text=" " * indent + value)


def _insert_in_brackets(text: str, node: CollectionNode, written: str, *, after: bool = False) -> Edit:
    """Insert text before the first or after the last item inside brackets, with the spacing of the first."""
    bracket = "{" if isinstance(node, MappingNode) else "["
    inside = text.index(bracket, node.start_mark.index) + 1
    if not node.value:
        return Edit(start=inside, end=inside, text=written)
    first = node.value[0][0] if isinstance(node, MappingNode) else node.value[0]
    gap = text[inside : first.start_mark.index]
    gap = " " if gap.strip() or not gap else gap
    at = _find_end(node.value[-1]) if after else first.start_mark.index
    return Edit(start=at, end=at, text=f",{gap}{written}" if after else f"{written},{gap}")


def _write_lines(value: Value, column: int, style: _Style) -> list[str]:
    """Return a value in block style, as lines that start at `column`."""
    pad = " " * column
    if isinstance(value, str):
        return [pad + _write_scalar(value, style)]
    if isinstance(value, list):
        return [f"{pad}- {line.lstrip()}" for item in value for line in _write_lines(item, column + _INDENT, style)]
    lines = []
    for key, below in value.items():
        name = f"{pad}{json.dumps(key) if style.quoted else key}:"
        if isinstance(below, str):
            lines.append(f"{name} {_write_scalar(below, style)}")
        else:
            deeper = column + (style.dash if isinstance(below, list) else style.indent)
            lines += [name, *_write_lines(below, deeper, style)]
    return lines


def _write_inline(value: Value, style: _Style) -> str:
    """Return a value in brackets; with quoted keys it is JSON."""
    if isinstance(value, str):
        return _write_scalar(value, style)
    if isinstance(value, list):
        return f"[{', '.join(_write_inline(item, style) for item in value)}]"
    pairs = (
        f"{json.dumps(key) if style.quoted else key}: {_write_inline(below, style)}" for key, below in value.items()
    )
    return f"{{{', '.join(pairs)}}}"


def _write_scalar(value: str, style: _Style) -> str:
    if style.quoted:
        return json.dumps(value, ensure_ascii=False)
    if _PLAIN.match(value) and value.lower() not in _NOT_STRINGS:
        return value
    return "'" + value.replace("'", "''") + "'"


def _require_editable(spot: Spot) -> None:
    if spot.obstacle:
        raise NotEditableError(spot.line, spot.obstacle)


def _find_end(node: Node) -> int:
    """Return where the text of a value ends.

    Raises NotEditableError for a block scalar: libyaml's end mark of it is at the next token.
    """
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    if isinstance(node, ScalarNode) and node.style in _BLOCKS:
        raise NotEditableError(
            node.start_mark.line + 1, "cannot append to a list whose last item ends with a block scalar"
        )
    return int(node.end_mark.index)


def _find_dash(text: str, item: Node) -> tuple[int, int]:
    """Return the column of an item's dash, and the number of spaces after it. Raises NotEditableError."""
    before = text[: item.start_mark.index].rstrip()
    if not before.endswith("-"):
        raise NotEditableError(item.start_mark.line + 1, "comment or tag between the dash and its item")
    blanks = text[len(before) : item.start_mark.index]
    line = max(before.rfind("\n"), before.rfind("\r")) + 1
    return len(before) - 1 - line, len(blanks) if blanks.strip(" ") == "" and blanks else 1


def _find_next_line(text: str, offset: int) -> int:
    match = LINE_END.search(text, offset)
    return match.end() if match else len(text)


def _find_end_of_line(text: str, offset: int) -> int:
    match = LINE_END.search(text, offset)
    return match.start() if match else len(text)

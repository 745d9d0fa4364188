"""A pull secret put into manifests by position: only what is added changes, in the style of what stands around it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import LINE_END, Edit, line_end_of
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.model.workload import PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from yaml.nodes import Node

    from harbor_agent.formats.yaml.nodes import Spot
    from harbor_agent.formats.yaml.workloads import ManifestWorkload

# A value to be written: text, or what holds such values.
Value = str | list["Value"] | dict[str, "Value"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./-]*\Z")
_NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_INDENT = 2
_BLOCKS = frozenset({"|", ">"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How a workload is written: spaces a level, and in front of the dash of a list's item; keys in quotes or not."""

    line_end: str
    indent: int = _INDENT
    dash: int = 0
    quoted: bool = False


def pull_secret_edit(text: str, found: ManifestWorkload, name: str) -> Edit:
    """Return the edit that puts a secret behind the others that the pod has. Raises NotEditableError."""
    style = _style(text, found)
    item: Value = {"name": name}
    if found.pull_secrets is None:
        return _added(text, found.spec, {"imagePullSecrets": [item]}, style)
    if isinstance(found.pull_secrets.node, SequenceNode):
        return _appended(text, found.pull_secrets, found.pull_secrets.node, item, style)
    return _filled(text, found.pull_secrets, [item], style)


def annotation_edit(text: str, found: ManifestWorkload, value: str) -> Edit:
    """Return the edit that gives the annotation this value. Raises NotEditableError."""
    style = _style(text, found)
    if found.annotation:
        return _replaced(text, found.annotation, value, style)
    entry: dict[str, Value] = {PULL_SECRETS_ANNOTATION: value}
    spot = found.annotations
    if spot is None:
        entry = {"annotations": entry}
        spot = found.metadata
    if spot is None:
        entry = {"metadata": entry}
        spot = found.template
    return _filled(text, spot, entry, style) if spot.is_null else _added(text, spot, entry, style)


def _style(text: str, found: ManifestWorkload) -> _Style:
    """Return the style, as the pod shows it with its first list."""
    spec = found.spec.node
    first = spec.value[0][0]
    style = _Style(line_end=line_end_of(text), quoted=first.style == '"')
    if is_in_brackets(spec) or found.spec.key is None:
        return style
    key, items = next(((k, v) for k, v in spec.value if isinstance(v, SequenceNode)), (first, None))
    indent = key.start_mark.column - found.spec.key.start_mark.column
    dash = _dash(text, items.value[0])[0] - key.start_mark.column if items and not is_in_brackets(items) else 0
    return replace(style, indent=indent, dash=dash) if indent > 0 and dash >= 0 else style


def _added(text: str, spot: Spot, entry: dict[str, Value], style: _Style) -> Edit:
    """Put an entry in front of the others of a mapping; comments above the first of them stay with it."""
    _demand_editable(spot)
    node = spot.node
    if not isinstance(node, MappingNode):
        raise NotEditableError(spot.line, "a mapping should be here")
    if node.flow_style:
        return _between_brackets(text, node, _inline(entry, style)[1:-1])
    first = node.value[0][0]
    start, column = first.start_mark.index, first.start_mark.column
    lines = _lines(entry, column, style)
    if spot.key and spot.key.start_mark.line < first.start_mark.line:
        start, column = _behind_line(text, spot.key.end_mark.index), 0
    else:
        lines[0] = lines[0].lstrip()
    return Edit(start=start, end=start, text=style.line_end.join([*lines, " " * column]))


def _appended(text: str, spot: Spot, node: SequenceNode, item: Value, style: _Style) -> Edit:
    """Put an item behind the others of a list."""
    _demand_editable(spot)
    if node.flow_style:
        return _between_brackets(text, node, _inline(item, style), behind=True)
    last = node.value[-1]
    dash, gap = _dash(text, last)
    end = _end_of_line(text, _end(last))
    (line,) = _lines(item, 0, style)
    return Edit(start=end, end=end, text=f"{style.line_end}{' ' * dash}-{' ' * gap}{line}")


def _filled(text: str, spot: Spot, value: Value, style: _Style) -> Edit:
    """Give a key that has no value one: on lines of its own, or in its place where `null` or brackets stand there."""
    _demand_editable(spot)
    start, end = spot.node.start_mark.index, spot.node.end_mark.index
    if start < end:
        return Edit(start=start, end=end, text=_inline(value, style))
    if spot.in_flow or spot.key is None:
        return Edit(start=start, end=end, text=f" {_inline(value, style)}")
    column = spot.key.start_mark.column + (style.dash if isinstance(value, list) else style.indent)
    at = _end_of_line(text, start)
    return Edit(start=at, end=at, text="".join(f"{style.line_end}{line}" for line in _lines(value, column, style)))


def _replaced(text: str, spot: Spot, value: str, style: _Style) -> Edit:
    """Give a key other text, quoted as it was; of a block only the content changes."""
    _demand_editable(spot)
    node = spot.node
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:
        return Edit(start=start, end=end, text=f" {_scalar(value, style)}")
    written = node.style if isinstance(node, ScalarNode) else None
    if written not in _BLOCKS:
        return Edit(start=start, end=end, text=_scalar(value, replace(style, quoted=written == '"')))
    start = _behind_line(text, start)
    content = text[start:end].rstrip()
    first = content.lstrip("\r\n")
    indent = len(first) - len(first.lstrip(" "))
    return Edit(start=start, end=start + len(content), text=" " * indent + value)


def _between_brackets(text: str, node: CollectionNode, written: str, *, behind: bool = False) -> Edit:
    """Put what is written in front of the first or behind the last thing within brackets, spaced as the first is."""
    bracket = "{" if isinstance(node, MappingNode) else "["
    inside = text.index(bracket, node.start_mark.index) + 1
    if not node.value:
        return Edit(start=inside, end=inside, text=written)
    first = node.value[0][0] if isinstance(node, MappingNode) else node.value[0]
    gap = text[inside : first.start_mark.index]
    gap = " " if gap.strip() or not gap else gap
    at = _end(node.value[-1]) if behind else first.start_mark.index
    return Edit(start=at, end=at, text=f",{gap}{written}" if behind else f"{written},{gap}")


def _lines(value: Value, column: int, style: _Style) -> list[str]:
    """Return a value as lines of block style that start at `column`."""
    pad = " " * column
    if isinstance(value, str):
        return [pad + _scalar(value, style)]
    if isinstance(value, list):
        return [f"{pad}- {line.lstrip()}" for item in value for line in _lines(item, column + _INDENT, style)]
    lines = []
    for key, below in value.items():
        name = f"{pad}{json.dumps(key) if style.quoted else key}:"
        if isinstance(below, str):
            lines.append(f"{name} {_scalar(below, style)}")
        else:
            deeper = column + (style.dash if isinstance(below, list) else style.indent)
            lines += [name, *_lines(below, deeper, style)]
    return lines


def _inline(value: Value, style: _Style) -> str:
    """Return a value in brackets; where keys are quoted it is JSON."""
    if isinstance(value, str):
        return _scalar(value, style)
    if isinstance(value, list):
        return f"[{', '.join(_inline(item, style) for item in value)}]"
    pairs = (f"{json.dumps(key) if style.quoted else key}: {_inline(below, style)}" for key, below in value.items())
    return f"{{{', '.join(pairs)}}}"


def _scalar(value: str, style: _Style) -> str:
    if style.quoted:
        return json.dumps(value, ensure_ascii=False)
    if _PLAIN.match(value) and value.lower() not in _NO_TEXT:
        return value
    return "'" + value.replace("'", "''") + "'"


def _demand_editable(spot: Spot) -> None:
    if spot.obstacle:
        raise NotEditableError(spot.line, spot.obstacle)


def _end(node: Node) -> int:
    """Return where the last thing that is written of a value ends; that of a block ends only before what follows."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    if isinstance(node, ScalarNode) and node.style in _BLOCKS:
        raise NotEditableError(node.start_mark.line + 1, "the last item of the list ends with a block of text")
    return int(node.end_mark.index)


def _dash(text: str, item: Node) -> tuple[int, int]:
    """Return the column of an item's dash, and how many spaces follow it."""
    before = text[: item.start_mark.index].rstrip()
    if not before.endswith("-"):
        raise NotEditableError(item.start_mark.line + 1, "there is a comment or a tag between the dash and its item")
    blanks = text[len(before) : item.start_mark.index]
    line = max(before.rfind("\n"), before.rfind("\r")) + 1
    return len(before) - 1 - line, len(blanks) if blanks.strip(" ") == "" and blanks else 1


def _behind_line(text: str, offset: int) -> int:
    match = LINE_END.search(text, offset)
    return match.end() if match else len(text)


def _end_of_line(text: str, offset: int) -> int:
    match = LINE_END.search(text, offset)
    return match.start() if match else len(text)

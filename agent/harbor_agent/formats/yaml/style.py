"""How values are written into YAML: in the style of their place, on lines or inside brackets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, ScalarNode

from harbor_agent.formats.text import LINE_END, Edit
from harbor_agent.formats.yaml.nodes import NotEditableError

if TYPE_CHECKING:
    from yaml.nodes import Node

# A value to write: text, or a list or mapping of such values.
Value = str | list["Value"] | dict[str, "Value"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./-]*\Z")
_NOT_STRINGS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
INDENT = 2
BLOCKS = frozenset({"|", ">"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The style of a place: spaces per level, spaces before the dash of a list item, and whether keys are quoted."""

    line_end: str
    indent: int = INDENT
    dash: int = 0
    quoted: bool = False


def insert_in_brackets(text: str, node: CollectionNode, written: str, *, after: bool = False) -> Edit:
    """Insert text before the first or after the last item inside brackets, with the spacing of the first."""
    bracket = "{" if isinstance(node, MappingNode) else "["
    inside = text.index(bracket, node.start_mark.index) + 1
    if not node.value:
        return Edit(start=inside, end=inside, text=written)
    first = node.value[0][0] if isinstance(node, MappingNode) else node.value[0]
    gap = text[inside : first.start_mark.index]
    gap = " " if gap.strip() or not gap else gap
    last = node.value[-1]
    at = find_end(last[1] if isinstance(last, tuple) else last) if after else first.start_mark.index
    return Edit(start=at, end=at, text=f",{gap}{written}" if after else f"{written},{gap}")


def write_lines(value: Value, column: int, style: Style) -> list[str]:
    """Return a value in block style, as lines that start at `column`."""
    pad = " " * column
    if isinstance(value, str):
        return [pad + write_scalar(value, style)]
    if isinstance(value, list):
        return [f"{pad}- {line.lstrip()}" for item in value for line in write_lines(item, column + INDENT, style)]
    lines = []
    for key, below in value.items():
        name = f"{pad}{json.dumps(key) if style.quoted else key}:"
        if isinstance(below, str):
            lines.append(f"{name} {write_scalar(below, style)}")
        else:
            deeper = column + (style.dash if isinstance(below, list) else style.indent)
            lines += [name, *write_lines(below, deeper, style)]
    return lines


def write_inline(value: Value, style: Style) -> str:
    """Return a value in brackets; with quoted keys it is JSON."""
    if isinstance(value, str):
        return write_scalar(value, style)
    if isinstance(value, list):
        return f"[{', '.join(write_inline(item, style) for item in value)}]"
    pairs = (
        f"{json.dumps(key) if style.quoted else key}: {write_inline(below, style)}" for key, below in value.items()
    )
    return f"{{{', '.join(pairs)}}}"


def write_scalar(value: str, style: Style) -> str:
    """Return text as a scalar, in quotes if it needs some."""
    if style.quoted:
        return json.dumps(value, ensure_ascii=False)
    if _PLAIN.match(value) and value.lower() not in _NOT_STRINGS:
        return value
    return "'" + value.replace("'", "''") + "'"


def find_end(node: Node) -> int:
    """Return where the text of a value ends.

    Raises NotEditableError for a block scalar: libyaml's end mark of it is at the next token.
    """
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    if isinstance(node, ScalarNode) and node.style in BLOCKS:
        raise NotEditableError(
            node.start_mark.line + 1, "cannot append to a list whose last item ends with a block scalar"
        )
    return int(node.end_mark.index)


def find_dash(text: str, item: Node) -> tuple[int, int]:
    """Return the column of an item's dash, and the number of spaces after it. Raises NotEditableError."""
    before = text[: item.start_mark.index].rstrip()
    if not before.endswith("-"):
        raise NotEditableError(item.start_mark.line + 1, "comment or tag between the dash and its item")
    blanks = text[len(before) : item.start_mark.index]
    line = max(before.rfind("\n"), before.rfind("\r")) + 1
    return len(before) - 1 - line, len(blanks) if blanks.strip(" ") == "" and blanks else 1


def find_next_line(text: str, offset: int) -> int:
    """Return the start of the line after the one with `offset`."""
    match = LINE_END.search(text, offset)
    return match.end() if match else len(text)


def find_end_of_line(text: str, offset: int) -> int:
    """Return the end of the line with `offset`, before its terminator."""
    match = LINE_END.search(text, offset)
    return match.start() if match else len(text)

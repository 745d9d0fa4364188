"""Manifests (YAML, JSON, or several JSON documents in a row) as nodes with their places in the text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml
from yaml.error import Mark
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import CollectionNode
from yaml.reader import Reader, ReaderError

from harbor_agent.formats.text import FormatError, find_line_number

if TYPE_CHECKING:
    from yaml.nodes import Node

# kubectl's parser is a port of libyaml, which accepts tabs that the Python parser rejects, and is five times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Far below the depth at which libyaml overflows its stack, and far above any manifest.
_MAX_DEPTH = 200
_TOO_DEEP = "nested too deeply"
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_NOT_BLANK = re.compile(r"[^ \t\r\n]")


def compose(text: str) -> list[Node]:
    """Return the documents of a text; several JSON documents in a row, as kubectl accepts them, are documents too.

    Raises FormatError with the line of a syntax error.
    """
    stream = _split_stream(text)
    return [node for part in stream for node in _compose_part(text, part)] if stream else _compose_text(text)


def _split_stream(text: str) -> list[tuple[int, int]]:
    """Return start and end of each JSON document in a row; nothing for a single document and for YAML."""
    if not text.lstrip().startswith("{"):
        return []
    parts, at = [], 0
    decoder = json.JSONDecoder()
    while match := _NOT_BLANK.search(text, at):
        try:
            _, at = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            return []
        parts.append((match.start(), at))
    return parts if len(parts) > 1 else []


def _compose_part(text: str, part: tuple[int, int]) -> list[Node]:
    """Return the document in a part of the text, with its marks counted from the start of the text."""
    start, end = part
    line = find_line_number(text, start) - 1
    column = start - max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) - 1
    try:
        nodes = _compose_text(text[start:end])
    except FormatError as error:
        raise FormatError(error.line + line, error.reason) from None
    for node in nodes:
        _shift_marks(node, start, line, column)
    return nodes


def _shift_marks(root: Node, index: int, line: int, column: int) -> None:
    def shift(mark: Mark) -> Mark:
        at = mark.column + (0 if mark.line else column)
        return Mark(mark.name, mark.index + index, mark.line + line, at, None, 0)

    ahead = [root]
    while ahead:
        node = ahead.pop()
        node.start_mark, node.end_mark = shift(node.start_mark), shift(node.end_mark)
        for child in node.value if isinstance(node, CollectionNode) else ():
            ahead += child if isinstance(child, tuple) else (child,)


def _compose_text(text: str) -> list[Node]:
    readable = _convert_json(text)
    try:
        _require_shallow(readable)
        return list(yaml.compose_all(readable, _LOADER))
    except ReaderError:
        match = Reader.NON_PRINTABLE.search(text)
        line = find_line_number(text, match.start() if match else 0)
        raise FormatError(line, "contains a control character") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # Since 0.2.6, libyaml has a limit of its own, which it can reach while it looks ahead for a key.
        too_deep = "nesting depth" in (error.problem or "")
        reason = _TOO_DEEP if too_deep else f"not YAML: {error.problem}"
        raise FormatError(mark.line + 1 if mark else 1, reason) from None


def _require_shallow(text: str) -> None:
    """Raise FormatError for text that is nested so deeply that libyaml's composer would crash the process."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise FormatError(line, _TOO_DEEP)


def _convert_json(text: str) -> str:
    """Return the text; in JSON, tabs and half surrogate pairs, which YAML rejects, become other text of equal length.

    Neither occurs in a value that is read here.
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _HALF_CHARACTER.sub(r"\\ufffd", text).replace("\t", " ")

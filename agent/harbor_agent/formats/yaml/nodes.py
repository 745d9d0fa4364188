"""Manifests, YAML or JSON, as nodes that know where they stand in the text, so that it can be edited by position.

Values are read as kubectl reads them. A byte order mark is not part of the text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode
from yaml.reader import Reader, ReaderError

from harbor_agent.formats.text import FormatError, line_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

# libyaml is what kubectl's reader is a port of (it takes tabs where the Python one does not), and five times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Far below what makes it overflow its stack, and far above what a manifest needs.
_DEEPEST = 200
_TOO_DEEP = "it is nested too deeply"
_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SHARED = "it is written once and used in several places (an anchor and its aliases)"
_MERGED = "it comes from somewhere else by a merge key (<<)"


class NotEditableError(FormatError):
    """The text can be read, but what is to be changed in it stands where an edit would reach further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A value and its place: the key in front of it (None for a document and for an item of a list).

    `in_flow` is whether it is written within brackets. `obstacle` says why it must not be edited, "" where it may.
    """

    node: Node
    key: ScalarNode | None = None
    in_flow: bool = False
    obstacle: str = ""

    @property
    def line(self) -> int:
        """The line, from 1, where the key is, or the value where there is no key."""
        return int((self.key or self.node).start_mark.line) + 1

    @property
    def is_null(self) -> bool:
        """Whether there is no value."""
        return isinstance(self.node, ScalarNode) and self.node.tag == _NULL

    @property
    def string(self) -> str | None:
        """The value where it is text."""
        return str(self.node.value) if isinstance(self.node, ScalarNode) and self.node.tag == _STRING else None


class Manifests:
    """The documents of one text."""

    def __init__(self, text: str) -> None:
        """Read them. Raises FormatError with the line of what is neither YAML nor JSON."""
        self.text = text
        roots = _compose(text)
        self._shared = _shared(roots)
        self.roots = [Spot(node=root) for root in roots]

    def member(self, spot: Spot, key: str) -> Spot | None:
        """Return the value of `key` in a mapping, merge keys followed; None where there is none.

        Raises FormatError for what is no mapping, NotEditableError for a key that stands twice.
        """
        if spot.is_null:
            return None
        if not isinstance(spot.node, MappingNode):
            raise FormatError(spot.line, f"a mapping with '{key}' should be here")
        own = [(name, value) for name, value in spot.node.value if _is_key(name, key)]
        if len(own) > 1:
            raise NotEditableError(_line(own[1][0]), f"the key '{key}' stands twice in one mapping")
        for name, value in own:
            return self._below(spot, name, value)
        for merge_key, merged in _merged(spot.node):
            found = self.member(Spot(node=merged, key=merge_key, obstacle=_MERGED), key)
            if found:
                return replace(found, key=merge_key)
        return None

    def items(self, spot: Spot | None) -> list[Spot]:
        """Return the items of a list; none for None and null. Raises FormatError for anything else."""
        if spot is None or spot.is_null:
            return []
        if not isinstance(spot.node, SequenceNode):
            raise FormatError(spot.line, "a list should be here")
        return [self._below(spot, None, item) for item in spot.node.value]

    def _below(self, spot: Spot, key: ScalarNode | None, node: Node) -> Spot:
        obstacle = spot.obstacle or (_SHARED if id(node) in self._shared else "")
        return Spot(node=node, key=key, in_flow=spot.in_flow or is_in_brackets(spot.node), obstacle=obstacle)


def is_in_brackets(node: Node) -> bool:
    """Whether a mapping or list is written with brackets and commas, as all of JSON is."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def fingerprint(node: Node, table: dict[object, int], cut: frozenset[int], pruned: frozenset[int]) -> int:
    """Return a number that two nodes share, within one `table`, where they hold the same in the same order.

    Left out are mapping entries whose value is in `cut` (ids of nodes), and those with a value in `pruned` where
    nothing else is left of it.
    """
    numbers: dict[int, int] = {}

    def number(value: object) -> int:
        return table.setdefault(value, len(table))

    nothing = number(())

    def visit(node: Node) -> int:
        if id(node) not in numbers:
            numbers[id(node)] = -1  # what an alias within its own anchor finds
            numbers[id(node)] = describe(node)
        return numbers[id(node)]

    def describe(node: Node) -> int:
        if isinstance(node, SequenceNode):
            return number((node.tag, *map(visit, node.value)))
        if not isinstance(node, MappingNode):
            return nothing if id(node) in pruned and node.tag == _NULL else number((node.tag, node.value))
        pairs = [(visit(key), visit(value), value) for key, value in node.value if id(value) not in cut]
        kept = tuple((key, value) for key, value, at in pairs if id(at) not in pruned or value != nothing)
        return number((node.tag, kept)) if kept or id(node) not in pruned else nothing

    return visit(node)


def _compose(text: str) -> list[Node]:
    readable = _readable(text)
    try:
        _demand_shallow(readable)
        return list(yaml.compose_all(readable, _LOADER))
    except ReaderError:
        match = Reader.NON_PRINTABLE.search(text)
        raise FormatError(line_number(text, match.start() if match else 0), "there is a control character") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # From 0.2.6 on libyaml has a limit of its own, which it meets while it looks ahead for a key.
        too_deep = "nesting depth" in (error.problem or "")
        complaint = _TOO_DEEP if too_deep else f"it is not YAML: {error.problem}"
        raise FormatError(mark.line + 1 if mark else 1, complaint) from None


def _demand_shallow(text: str) -> None:
    """Raise FormatError for what is nested so deeply that libyaml's composer would end the process."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise FormatError(line, _TOO_DEEP)


def _readable(text: str) -> str:
    """Return the text; JSON with what YAML does not take replaced by as much that it does, never in what is read."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _HALF_CHARACTER.sub(r"\\ufffd", text).replace("\t", " ")


def _shared(roots: list[Node]) -> frozenset[int]:
    """Return the ids of nodes that are reached on more than one way. Raises FormatError for a key that is no text."""
    seen: set[int] = set()
    shared: set[int] = set()
    ahead: list[Node] = list(roots)
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        ahead.extend(_children(node))
    return frozenset(shared)


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise FormatError(_line(key), "a key is not text, which no manifest has")
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


def _merged(mapping: MappingNode) -> Iterator[tuple[ScalarNode, MappingNode]]:
    """Return what merge keys bring in, with the key; of several the first wins (https://yaml.org/type/merge.html)."""
    for key, value in mapping.value:
        if key.tag == _MERGE:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            yield from ((key, source) for source in sources if isinstance(source, MappingNode))


def _is_key(node: Node, key: str) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _STRING and node.value == key


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1

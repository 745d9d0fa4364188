"""Manifests (YAML or JSON) as nodes with their places in the text, so that it can be edited by position.

Values are read as kubectl reads them. A byte order mark is not part of the text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.yaml.compose import compose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_SHARED = "cannot edit a value that is used in several places (an anchor and its aliases)"
_MERGED = "cannot edit a value that a merge key (<<) brings in from another place"


class NotEditableError(FormatError):
    """A text that can be parsed, but in which the edit would change more than the workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A value and its place: `key` is its key (None for a document and for an item of a list).

    `in_flow` is whether it is inside brackets. `obstacle` is why it must not be edited, "" if it may be.
    """

    node: Node
    key: ScalarNode | None = None
    in_flow: bool = False
    obstacle: str = ""

    @property
    def line(self) -> int:
        """The line (from 1) of the key, or of the value if there is no key."""
        return int((self.key or self.node).start_mark.line) + 1

    @property
    def is_null(self) -> bool:
        """Whether there is no value."""
        return isinstance(self.node, ScalarNode) and self.node.tag == _NULL

    @property
    def string(self) -> str | None:
        """The value if it is text, else None."""
        return str(self.node.value) if isinstance(self.node, ScalarNode) and self.node.tag == _STRING else None


class Manifests:
    """The documents of one text."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises FormatError with the line of a syntax error."""
        self.text = text
        roots = compose(text)
        self._shared = _find_shared(roots)
        self.roots = [Spot(node=root) for root in roots]

    def member(self, spot: Spot, key: str) -> Spot | None:
        """Return the value of `key` in a mapping, also one from a merge key, or None.

        Raises FormatError if `spot` is not a mapping, NotEditableError for a duplicate key.
        """
        if spot.is_null:
            return None
        if not isinstance(spot.node, MappingNode):
            raise FormatError(spot.line, f"expected a mapping with '{key}'")
        own = [(name, value) for name, value in spot.node.value if _is_key(name, key)]
        if len(own) > 1:
            raise NotEditableError(_get_line(own[1][0]), f"duplicate key '{key}'")
        for name, value in own:
            return self._descend(spot, name, value)
        for merge_key, merged in _find_merged(spot.node):
            found = self.member(Spot(node=merged, key=merge_key, obstacle=_MERGED), key)
            if found:
                return replace(found, key=merge_key)
        return None

    def items(self, spot: Spot | None) -> list[Spot]:
        """Return the items of a list; None and null count as an empty list. Raises FormatError for anything else."""
        if spot is None or spot.is_null:
            return []
        if not isinstance(spot.node, SequenceNode):
            raise FormatError(spot.line, "expected a list")
        return [self._descend(spot, None, item) for item in spot.node.value]

    def _descend(self, spot: Spot, key: ScalarNode | None, node: Node) -> Spot:
        obstacle = spot.obstacle or (_SHARED if id(node) in self._shared else "")
        return Spot(node=node, key=key, in_flow=spot.in_flow or is_in_brackets(spot.node), obstacle=obstacle)


def is_in_brackets(node: Node) -> bool:
    """Whether a mapping or list is written with brackets and commas, as in JSON."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def fingerprint(node: Node, table: dict[object, int], cut: frozenset[int], pruned: frozenset[int]) -> int:
    """Return a number for the content of a node: within one `table`, equal numbers mean equal content in equal order.

    Mapping entries whose value is in `cut` (ids of nodes) do not count, nor those whose value is in `pruned` and has
    no other content.
    """
    numbers: dict[int, int] = {}

    def number(value: object) -> int:
        return table.setdefault(value, len(table))

    nothing = number(())

    def visit(node: Node) -> int:
        if id(node) not in numbers:
            numbers[id(node)] = -1  # for an alias inside its own anchor
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


def _find_shared(roots: list[Node]) -> frozenset[int]:
    """Return the ids of nodes that are used in several places. Raises FormatError for a key that is not text."""
    seen: set[int] = set()
    shared: set[int] = set()
    ahead: list[Node] = list(roots)
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        ahead.extend(_list_children(node))
    return frozenset(shared)


def _list_children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise FormatError(_get_line(key), "a key is not text")
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


def _find_merged(mapping: MappingNode) -> Iterator[tuple[ScalarNode, MappingNode]]:
    """Yield each merge key and the mapping it brings in; of several, the first wins (https://yaml.org/type/merge.html)."""
    for key, value in mapping.value:
        if key.tag == _MERGE:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            yield from ((key, source) for source in sources if isinstance(source, MappingNode))


def _is_key(node: Node, key: str) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _STRING and node.value == key


def _get_line(node: Node) -> int:
    return int(node.start_mark.line) + 1

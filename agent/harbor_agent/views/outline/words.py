"""The words of a report for people, in their language: titles of groups, and what is said of all and of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harbor_agent.language.current import translate
from harbor_agent.views.outline.value import Kind
from harbor_agent.views.text.common import name_clauses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.views.outline.value import Item

_Said = TypeVar("_Said")
Lines = list[tuple[str, str]]


def title_group(group: Sequence[Item]) -> str:
    """Return number, kind and status of a group, such as "2 nodes: change, drop-in, restart"."""
    first = group[0]
    return name_clauses(_count_items(len(group), first.kind), (first.status, *first.title))


def _count_items(count: int, kind: Kind) -> str:
    counted = {
        Kind.NODE: f"{count} node{'s' if count > 1 else ''}",
        Kind.DNS_SERVER: f"{count} DNS server{'s' if count > 1 else ''}",
        Kind.SECRET: f"{count} pull secret{'s' if count > 1 else ''}",
        Kind.CONTAINER: f"{count} container{'s' if count > 1 else ''}",
        Kind.COMMAND: f"{count} command{'s' if count > 1 else ''}",
    }
    return counted[kind]


def list_messages(group: Sequence[Item]) -> Lines:
    """Return the messages of the problems as pairs of name and line; the name is "" if all items have this line."""
    return _say_once(group, ((translate(_remove_name(item, item.problem)),) if item.problem else () for item in group))


def list_objections(group: Sequence[Item]) -> Lines:
    """Return likewise why `apply` will refuse the changes."""
    return _say_once(group, ((_describe_objection(item, item.objection),) if item.objection else () for item in group))


def _describe_objection(item: Item, objection: Problem) -> str:
    message = _remove_name(item, objection)
    return translate(f"apply will refuse this change: {message}")


def list_remarks(group: Sequence[Item]) -> Lines:
    """Return likewise the remarks."""
    return _say_once(group, (tuple(map(translate, item.remarks)) for item in group))


def list_warnings(group: Sequence[Item]) -> list[tuple[str, Problem]]:
    """Return likewise the warnings."""
    return _say_once(group, (item.warnings for item in group))


def _remove_name(item: Item, problem: Problem) -> str:
    """Return the message without the name of the item at its start."""
    return problem.message.removeprefix(f"{item.name}: ")


def _say_once(group: Sequence[Item], lines: Iterable[tuple[_Said, ...]]) -> list[tuple[str, _Said]]:
    said = list(lines)
    if len(set(said)) == 1:
        return [("", line) for line in said[0]]
    return [(item.name, line) for item, own in zip(group, said, strict=True) for line in own]

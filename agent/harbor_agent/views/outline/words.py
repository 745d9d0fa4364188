"""The words of a report that every format has: titles of groups, what is said of all and of one, problems as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harbor_agent.views.outline.value import join_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.views.outline.value import Item

_Said = TypeVar("_Said")
Lines = list[tuple[str, str]]


def title_group(group: Sequence[Item]) -> str:
    """Return number, kind and status of a group, such as "2 nodes: change, drop-in, restart"."""
    first = group[0]
    noun = f"{first.kind.value}{'s' if len(group) > 1 else ''}"
    return f"{len(group)} {noun}: {join_words((first.status, first.title))}"


def list_messages(group: Sequence[Item]) -> Lines:
    """Return the messages of the problems as pairs of name and line; the name is "" if all items have this line."""
    return _say_once(group, ((_shorten_message(item, item.problem),) if item.problem else () for item in group))


def list_objections(group: Sequence[Item]) -> Lines:
    """Return likewise why `apply` will refuse the changes."""
    return _say_once(
        group,
        (
            (f"apply will refuse this change: {_shorten_message(item, item.objection)}",) if item.objection else ()
            for item in group
        ),
    )


def list_remarks(group: Sequence[Item]) -> Lines:
    """Return likewise the remarks."""
    return _say_once(group, (item.remarks for item in group))


def list_warnings(group: Sequence[Item]) -> list[tuple[str, Problem]]:
    """Return likewise the warnings."""
    return _say_once(group, (item.warnings for item in group))


def describe_problem(problem: Problem) -> str:
    """Return message and hint of a problem as lines."""
    return f"{problem.message} [{problem.code}]" + (f"\n-> {problem.hint}" if problem.hint else "")


def _shorten_message(item: Item, problem: Problem) -> str:
    """Return the message without the name of the item at its start."""
    return problem.message.removeprefix(f"{item.name}: ")


def _say_once(group: Sequence[Item], lines: Iterable[tuple[_Said, ...]]) -> list[tuple[str, _Said]]:
    said = list(lines)
    if len(set(said)) == 1:
        return [("", line) for line in said[0]]
    return [(item.name, line) for item, own in zip(group, said, strict=True) for line in own]

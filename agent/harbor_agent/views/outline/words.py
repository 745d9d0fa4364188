"""The words of a report that every format has: titles of groups, what is said of one subject, shown lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.outline.value import join_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.views.outline.value import Item


def title_group(group: Sequence[Item]) -> str:
    """Return number, kind and status of a group, such as "2 nodes: change, drop-in, restart"."""
    first = group[0]
    noun = f"{first.kind.value}{'s' if len(group) > 1 else ''}"
    return f"{len(group)} {noun}: {join_words((first.status, first.title))}"


def say_once(group: Sequence[Item], lines: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Return the lines of each item as pairs of name and line; the name is "" if all items have the same lines."""
    said = list(lines)
    if len(set(said)) == 1:
        return [("", line) for line in said[0]]
    return [(item.name, line) for item, own in zip(group, said, strict=True) for line in own]


def describe_problem(problem: Problem) -> str:
    """Return message and hint of a problem as lines."""
    return f"{problem.message} [{problem.code}]" + (f"\n-> {problem.hint}" if problem.hint else "")

"""The overview of a plan of many nodes: a line per group, so that a reader finds the nodes that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.views.text.common import FEW, count_nodes
from harbor_agent.views.text.layout.cells import fill_cell, measure_text
from harbor_agent.views.text.many.groups import MANY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.views.text.many.groups import Group

_MOST_LINES = 12


def describe_groups(groups: Sequence[Group]) -> str:
    """Return a line per group, in the order of the plan; "" if there are few nodes or all are alike.

    A group with the title of the largest one also says in which files it differs from that.
    """
    count = sum(map(len, groups))
    if count <= MANY or len(groups) == 1:
        return ""
    largest = max(groups, key=len)
    names = [_name_group(group) for group in groups]
    width = max(map(measure_text, names[:_MOST_LINES]))
    lines = [
        f"  {fill_cell(name, width)}  {group[0].title}{_describe_difference(group, largest)}"
        for name, group in zip(names[:_MOST_LINES], groups, strict=False)
    ]
    more = len(groups) - _MOST_LINES
    lines += [translate(f"  and {more} more groups above")] if more > 0 else []
    return "\n".join([translate(f"{count} nodes in {len(groups)} groups:"), *lines])


def _name_group(group: Group) -> str:
    return ", ".join(one.name for one in group) if len(group) <= FEW else translate(count_nodes(len(group)))


def _describe_difference(group: Group, largest: Group) -> str:
    own, others = group[0].diffs, largest[0].diffs
    if group is largest or group[0].title != largest[0].title:
        return ""
    paths = [path for path in {**own, **others} if own.get(path) != others.get(path)]
    return translate(f", differs in {', '.join(paths)}") if paths else ""

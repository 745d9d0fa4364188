"""Nodes of a plan grouped by their text; the groups that differ from the others come first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome
from harbor_agent.views.text.common import FEW, count_nodes, list_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.errors import Problem

# Fewer nodes keep the order of the inventory: the reader sees all of them.
MANY = 10
_FIRST = (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.REFUSED)
_LAST = (Outcome.UNCHANGED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeText:
    """The text about one node. Nodes with the same `title`, `body` and `diffs` share a block.

    `problem` (before the body) and `stops` (after it) name things of this node and may differ within a block. `diffs`
    are by path, and styled; `warnings` come after them.
    """

    name: str
    outcome: Outcome
    title: str
    body: tuple[str, ...] = ()
    diffs: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()


Group = list[NodeText]


def group_nodes(texts: Iterable[NodeText]) -> list[Group]:
    """Return the nodes by their text: problems first, unchanged ones last, and of many nodes small groups first."""
    groups: dict[tuple[object, ...], Group] = {}
    for text in texts:
        key = (text.title, text.body, tuple(text.diffs.items()), text.remarks)
        groups.setdefault(key, []).append(text)
    are_many = sum(map(len, groups.values())) > MANY
    return sorted(groups.values(), key=lambda group: (_rank(group[0].outcome), len(group) if are_many else 0))


def render_group(group: Sequence[NodeText]) -> list[str]:
    """Return a block per node, or one for all of them."""
    if len(group) <= FEW:
        return ["\n".join([f"{one.name}  {one.title}", *one.problem, *_list_shared(one), *one.stops]) for one in group]
    first = group[0]
    lines = [
        f"{translate(count_nodes(len(group)))}  {first.title}",
        f"  {translate(list_names([one.name for one in group]))}",
    ]
    lines += dict.fromkeys(line for one in group for line in one.problem)
    lines += _list_shared(first)
    if len({one.stops for one in group}) == 1:
        lines += first.stops
    else:
        lines += [f"  {one.name}: {line.strip()}" for one in group for line in one.stops]
    return ["\n".join(lines)]


def _list_shared(text: NodeText) -> list[str]:
    return [*text.body, *text.diffs.values(), *text.remarks]


def _rank(outcome: Outcome) -> int:
    if outcome in _FIRST:
        return _FIRST.index(outcome) - len(_FIRST)
    return 1 + _LAST.index(outcome) if outcome in _LAST else 0

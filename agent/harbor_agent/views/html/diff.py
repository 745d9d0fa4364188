"""A unified diff as lines of pieces, with the words that differ marked in lines that were edited."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from harbor_agent.views.screen.words import mark_words, pair_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.views.screen.words import Marks

_KINDS = {"+": "ins", "-": "del", "@": "place"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line: its kind ("file", "place", "ins", "del" or "same"), and its texts, each with whether it is marked."""

    kind: str
    pieces: tuple[tuple[str, bool], ...]


def split_diff(diff: str) -> list[DiffLine]:
    """Return the lines of a unified diff; removed lines are compared with the added ones that follow."""
    lines: list[DiffLine] = []
    texts = diff.removesuffix("\n").split("\n") if diff else []
    position = 0
    while position < len(texts):
        kind = _find_kind(texts, position)
        if kind != "del":
            lines.append(DiffLine(kind=kind, pieces=((texts[position], False),)))
            position += 1
            continue
        removed = _take(texts, position, "del")
        added = _take(texts, position + len(removed), "ins")
        lines += _compare(removed, added)
        position += len(removed) + len(added)
    return lines


def _find_kind(texts: Sequence[str], position: int) -> str:
    """Return the kind of a line; `---` and `+++` are the headers of a file only in this order."""
    text = texts[position]
    if text.startswith("--- ") and texts[position + 1 : position + 2] and texts[position + 1].startswith("+++ "):
        return "file"
    if text.startswith("+++ ") and position and texts[position - 1].startswith("--- "):
        return "file"
    return _KINDS.get(text[:1], "same")


def _take(texts: Sequence[str], start: int, kind: str) -> list[str]:
    """Return the lines of this kind, without their signs."""
    end = start
    while end < len(texts) and _find_kind(texts, end) == kind:
        end += 1
    return [text[1:] for text in texts[start:end]]


def _compare(removed: Sequence[str], added: Sequence[str]) -> Iterator[DiffLine]:
    """Yield the removed lines, then the added ones."""
    before: dict[int, Marks] = {}
    after: dict[int, Marks] = {}
    for left, right in pair_lines(removed, added):
        before[left], after[right] = mark_words(removed[left], added[right])
    for kind, sign, lines, marks in (("del", "-", removed, before), ("ins", "+", added, after)):
        for index, line in enumerate(lines):
            yield DiffLine(kind=kind, pieces=((sign, False), *_split_line(line, marks.get(index, frozenset()))))


def _split_line(line: str, marks: Marks) -> Iterator[tuple[str, bool]]:
    for is_marked, positions in groupby(range(len(line)), key=marks.__contains__):
        yield "".join(line[position] for position in positions), is_marked

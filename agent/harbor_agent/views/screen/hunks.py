"""Hunks of a unified diff, found in printed text by their header, whose counts say which lines belong to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.views.screen.glyphs import remove_styles
from harbor_agent.views.screen.words import mark_words, pair_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.views.screen.words import Marks

_HEADER = re.compile(r"( *)@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line: its sign (`-`, `+`, blank, or a backslash for a remark), its content, and the changed words in it."""

    sign: str
    content: str
    marks: Marks = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """A hunk `indent` columns from the left, as rows: the line before and the line after, None if there is none.

    Both are the same line if it is not changed. `size` is the number of printed lines, with the header.
    """

    indent: int
    rows: tuple[tuple[DiffLine | None, DiffLine | None], ...]
    size: int

    @property
    def has_both_sides(self) -> bool:
        """Whether lines are removed and lines are added."""
        signs = {line.sign for row in self.rows for line in row if line}
        return {"-", "+"} <= signs


def find_hunk(lines: Sequence[str], at: int) -> Hunk | None:
    """Return the hunk whose header is `lines[at]`; None if that is another line."""
    header = _HEADER.match(remove_styles(lines[at]))
    if header is None:
        return None
    indent, left, right = len(header[1]), int(header[2] or 1), int(header[3] or 1)
    found: list[DiffLine] = []
    for line in lines[at + 1 :]:
        text = remove_styles(line)[indent:] or " "
        sign = text[0]
        if (left <= 0 and right <= 0 and sign != "\\") or sign not in " -+\\":
            break
        left -= sign in " -"
        right -= sign in " +"
        found.append(DiffLine(sign=sign, content=text[1:]))
    return Hunk(indent=indent, rows=tuple(_list_rows(found)), size=len(found) + 1)


def _list_rows(lines: Sequence[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    """Yield unchanged lines as they are, and the lines of each change in pairs."""
    at = 0
    while at < len(lines):
        if lines[at].sign not in "-+":
            yield lines[at], lines[at]
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end].sign != " ":
            end += 1
        yield from _pair_change(lines[at:end])
        at = end


def _pair_change(lines: Sequence[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    """Yield the rows of lines that were replaced; a remark about the end of a file keeps its place."""
    removed, added = _split_sides(lines)
    at_left = at_right = 0
    for left, right in pair_lines([line.content for line in removed], [line.content for line in added]):
        yield from ((line, None) for line in removed[at_left:left])
        yield from ((None, line) for line in added[at_right:right])
        marks = mark_words(removed[left].content, added[right].content)
        yield (
            DiffLine(sign=removed[left].sign, content=removed[left].content, marks=marks[0]),
            DiffLine(sign=added[right].sign, content=added[right].content, marks=marks[1]),
        )
        at_left, at_right = left + 1, right + 1
    yield from ((line, None) for line in removed[at_left:])
    yield from ((None, line) for line in added[at_right:])


def _split_sides(lines: Sequence[DiffLine]) -> tuple[list[DiffLine], list[DiffLine]]:
    removed: list[DiffLine] = []
    added: list[DiffLine] = []
    side = removed
    for line in lines:
        side = {"-": removed, "+": added}.get(line.sign, side)
        side.append(line)
    return removed, added

"""Lines broken at a width: prose between words with a hanging indent, file content anywhere without a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category

from harbor_agent.views.screen.glyphs import measure_glyphs
from harbor_agent.views.text.layout.cells import measure_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.views.screen.glyphs import Glyph

# Unicode categories: punctuation that ends something does not begin a line, and an opening bracket does not end one.
_NOT_FIRST = frozenset({"Pe", "Pf", "Po"})
_NOT_LAST = frozenset({"Pi", "Ps"})
_WIDE = 2


def wrap_prose(glyphs: Sequence[Glyph], width: int, hang: int) -> list[list[Glyph]]:
    """Break a line between words, and between wide characters; lines after the first begin with `hang` blanks.

    A word that is wider than a line stays whole.
    """
    lines: list[list[Glyph]] = []
    start: list[Glyph] = []
    rest = list(glyphs)
    while measure_glyphs(rest) > width - len(start):
        cut = _find_break(rest, width - len(start))
        if cut is None:
            break
        lines.append([*start, *strip_end(rest[:cut])])
        rest = rest[cut:]
        while rest and rest[0][0] == " ":
            rest = rest[1:]
        start = [(" ", "")] * hang
    return [*lines, [*start, *rest]] if rest or not lines else lines


def wrap_content(glyphs: Sequence[Glyph], width: int) -> list[list[Glyph]]:
    """Break the content of a file: nothing is removed, and a blank at a break begins the next line."""
    lines: list[list[Glyph]] = []
    rest = list(glyphs)
    while measure_glyphs(rest) > width:
        fitting = _count_fitting(rest, width)
        # A blank at the end of a line would not be seen.
        cut = next((at for at in range(fitting, 0, -1) if rest[at][0] == " "), fitting)
        lines.append(rest[:cut])
        rest = rest[cut:]
    return [*lines, rest]


def _find_break(glyphs: Sequence[Glyph], room: int) -> int | None:
    """Return where the line should end: at the last place that fits, or at the first one of a word that is too wide."""
    best = None
    for at in _list_breaks(glyphs):
        if best is not None and measure_glyphs(glyphs[:at]) > room:
            break
        best = at
    return best


def _list_breaks(glyphs: Sequence[Glyph]) -> Iterator[int]:
    """Yield the places before which a line may end: blanks behind a word, and both sides of a wide character."""
    has_word = False
    for at, (character, _) in enumerate(glyphs):
        before = glyphs[at - 1][0] if at else " "
        if character == " ":
            if has_word and before != " ":
                yield at
            continue
        is_joint = has_word and before != " " and (_is_wide(before) or _is_wide(character))
        if (
            is_joint
            and category(character) not in _NOT_FIRST
            and category(before) not in _NOT_LAST
            and measure_text(character)
        ):
            yield at
        has_word = True


def _can_part(before: str, after: str) -> bool:
    """Whether a line may end between these two characters."""
    is_joint = (_is_wide(before) or _is_wide(after)) and measure_text(after) > 0
    return is_joint and category(after) not in _NOT_FIRST and category(before) not in _NOT_LAST


def _is_wide(character: str) -> bool:
    return measure_text(character) == _WIDE


def _count_fitting(glyphs: Sequence[Glyph], width: int) -> int:
    """Return how many glyphs fit into `width` columns, at least one."""
    columns = 0
    for count, (character, _) in enumerate(glyphs):
        columns += measure_text(character)
        if columns > width:
            return max(count, 1)
    return len(glyphs)


def strip_end(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Return the glyphs without the blanks at their end."""
    end = len(glyphs)
    while end and glyphs[end - 1][0] == " ":
        end -= 1
    return list(glyphs[:end])

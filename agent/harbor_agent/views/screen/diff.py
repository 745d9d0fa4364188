"""A hunk on a terminal: its changed words marked, long lines continued below their sign, or in two columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.screen.glyphs import TAB_COLUMNS, fill_line, parse_glyphs, render_glyphs
from harbor_agent.views.screen.wrap import wrap_content
from harbor_agent.views.text.layout.cells import measure_text
from harbor_agent.views.text.style import DIFF_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.views.screen.glyphs import Glyph
    from harbor_agent.views.screen.hunks import DiffLine, Hunk

LEAST_FOR_COLUMNS = 160
_REVERSE = "\x1b[7m"
_GUTTER = 3


def draw_hunk(hunk: Hunk, width: int, *, continued: str, border: str) -> list[str]:
    """Return the lines of the hunk for `width` columns.

    `continued` is the mark of lines that continue the one above, and `border` is between two columns.
    """
    if width >= LEAST_FOR_COLUMNS and hunk.has_both_sides:
        return list(_draw_columns(hunk, width, continued, border))
    start = " " * max(hunk.indent - _GUTTER + 1, 0)
    return [
        start + render_glyphs(line)
        for one in _list_in_order(hunk)
        for line in _draw_line(one, width - len(start), continued)
    ]


def _list_in_order(hunk: Hunk) -> Iterator[DiffLine]:
    """Yield the lines as in the diff: removed ones before those added in their place."""
    added: list[DiffLine] = []
    for left, right in hunk.rows:
        if left is right and left is not None:
            yield from added
            added = []
            yield left
            continue
        if left is not None:
            yield left
        if right is not None:
            added.append(right)
    yield from added


def _draw_columns(hunk: Hunk, width: int, continued: str, border: str) -> Iterator[str]:
    start = " " * max(hunk.indent - _GUTTER + 1, 0)
    column = (width - len(start) - len(border)) // 2
    for row in hunk.rows:
        left, right = (_draw_line(line, column, continued) if line else [] for line in row)
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else []
            other = right[index] if index < len(right) else []
            yield (start + render_glyphs([*fill_line(one, column), *parse_glyphs(border), *other])).rstrip()


def _draw_line(line: DiffLine, width: int, continued: str) -> list[list[Glyph]]:
    """Return the line as `width` columns: two for the mark of a continued line, one for the sign, then the content."""
    color = DIFF_LINES.get(line.sign)
    style = f"\x1b[{color}m" if color else ""
    glyphs = list(_style_content(line, style))
    lines = wrap_content(glyphs, width - _GUTTER)
    return [[*parse_glyphs(f"{continued if at else ' '} "), (line.sign, style), *part] for at, part in enumerate(lines)]


def _style_content(line: DiffLine, style: str) -> Iterator[Glyph]:
    """Yield the content with its changed words in reverse; a tab becomes blanks up to the next multiple of eight."""
    column = 0
    for at, character in enumerate(line.content):
        shown = " " * (TAB_COLUMNS - column % TAB_COLUMNS) if character == "\t" else character
        column += measure_text(shown)
        for one in shown:
            yield one, style + (_REVERSE if at in line.marks else "")

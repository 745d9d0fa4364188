"""Printed text for a terminal of some width; the words stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.screen.diff import draw_hunk
from harbor_agent.views.screen.glyphs import measure_glyphs, parse_glyphs, remove_styles, render_glyphs
from harbor_agent.views.screen.hunks import find_hunk
from harbor_agent.views.screen.wrap import wrap_prose

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lines to copy are so far from the left at least: `render_problem` indents the further lines of a hint.
_COPIED = 5
_ARROW = "-> "


def fit_text(text: str, width: int, *, is_unicode: bool = True) -> str:
    """Return the text for `width` columns: prose wrapped, words marked in diffs, and diffs in columns if there is room.

    Lines to copy stay whole. `is_unicode` says whether the terminal shows arrows and lines.
    """
    return "\n".join(_fit_lines(text.split("\n"), width, is_unicode=is_unicode))


def _fit_lines(lines: list[str], width: int, *, is_unicode: bool) -> Iterator[str]:
    continued, border = ("↪", "│ ") if is_unicode else (">", "| ")
    at = 0
    while at < len(lines):
        if hunk := find_hunk(lines, at):
            yield lines[at]
            yield from draw_hunk(hunk, width, continued=continued, border=border)
            at += hunk.size
        else:
            yield from _fit_line(lines[at], width)
            at += 1


def _fit_line(line: str, width: int) -> list[str]:
    glyphs = parse_glyphs(line)
    plain = remove_styles(line)
    indent = len(plain) - len(plain.lstrip(" "))
    if measure_glyphs(glyphs) <= width or indent >= _COPIED:
        return [line]
    hang = indent + (len(_ARROW) if plain.lstrip().startswith(_ARROW) else 2)
    return [render_glyphs(part) for part in wrap_prose(glyphs, width, hang)]

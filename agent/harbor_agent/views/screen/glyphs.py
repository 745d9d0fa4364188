"""Styled text as glyphs: characters, each with the escape sequences in effect for it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from harbor_agent.views.text.layout.cells import measure_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A character, and the SGR sequences (ECMA-48) since the last reset.
Glyph = tuple[str, str]
_SGR = re.compile(r"(\x1b\[[0-9;]*m)")
_RESETS = frozenset({"\x1b[0m", "\x1b[m"})
_RESET = "\x1b[0m"
TAB_COLUMNS = 8


def parse_glyphs(text: str) -> list[Glyph]:
    """Return the glyphs of a line; tabs become blanks up to the next of the terminal's tab stops."""
    glyphs: list[Glyph] = []
    style = ""
    for part in _SGR.split(text):
        if _SGR.fullmatch(part):
            style = "" if part in _RESETS else style + part
        else:
            for character in part:
                if character == "\t":
                    column = measure_glyphs(glyphs)
                    glyphs += [(" ", style)] * (TAB_COLUMNS - column % TAB_COLUMNS)
                else:
                    glyphs.append((character, style))
    return glyphs


def render_glyphs(glyphs: Iterable[Glyph]) -> str:
    """Return glyphs as text in which every style ends before the end."""
    parts = []
    for style, run in groupby(glyphs, key=lambda glyph: glyph[1]):
        text = "".join(character for character, _ in run)
        parts.append(f"{style}{text}{_RESET}" if style else text)
    return "".join(parts)


def measure_glyphs(glyphs: Sequence[Glyph]) -> int:
    """Return the number of columns that the glyphs take."""
    return measure_text("".join(character for character, _ in glyphs))


def remove_styles(text: str) -> str:
    """Return the text without its SGR sequences."""
    return _SGR.sub("", text)


def fill_line(glyphs: Sequence[Glyph], width: int) -> list[Glyph]:
    """Return the glyphs and as many blanks as fill `width` columns."""
    return [*glyphs, *[(" ", "")] * (width - measure_glyphs(glyphs))]

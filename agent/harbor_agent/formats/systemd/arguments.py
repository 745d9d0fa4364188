"""Adds and removes arguments in the value of a variable or in an ExecStart= line.

The two are each other's inverse, and both keep the style of the text: one argument per line if it has continuation
lines, next to the other flags of the same name if those share one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.syntax import Escapes, split_words
from harbor_agent.formats.text import CACHED_FILES, LINE_END, Edit, FormatError, find_line_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONTINUATION = re.compile(r"\\(\r\n|\n|\r)")
_GAP = re.compile(r"(?:[ \t]|\\(?:\r\n|\n|\r))*\Z")
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value with the range of each of its characters in the file; `start` is where the value begins.

    `continues` says whether backslash-newline is a blank in it. `bare` is the range of the whole word if a blank
    would end it (an unquoted word of Environment=): then an addition needs quotes around the word.
    """

    text: str
    places: tuple[tuple[int, int], ...]
    start: int
    continues: bool = True
    bare: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWord:
    """An argument within a value, and its range in the file."""

    text: str
    start: int
    end: int


def split_value(value: Value) -> list[PlacedWord]:
    """Split a variable's value as `$NAME` does (systemd.service(5)): at blanks, with quotes and backslashes removed.

    The range of a word includes its quotes and backslashes, as far as they are inside the value.
    """
    places = value.places
    return [
        PlacedWord(text=text, start=places[start][0], end=places[end - 1][1])
        for text, start, end in _find_word_ranges(value.text)
    ]


@lru_cache(maxsize=CACHED_FILES)
def _find_word_ranges(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((word.text, word.start, word.end) for word in split_words(text, escapes=Escapes.LITERAL, lenient=True))


def add_arguments(text: str, value: Value, arguments: list[str], similar: Sequence[tuple[int, int]]) -> list[Edit]:
    """Return the edits that add `arguments` to the value in `text`, next to the `similar` ones if those share a line.

    `similar` are the indexes of the first and last word of each such argument, in order.
    Raises FormatError if an unquoted value cannot be put in quotes.
    """
    placed = split_value(value)
    joined = " ".join(arguments)
    if not placed:
        return _insert_quoted(text, value, value.start, joined)
    if value.continues and _CONTINUATION.search(text, placed[0].start, placed[-1].end + 4):
        beside = _find_end_on_one_line(text, placed, similar)
        if beside is not None:
            return _insert_quoted(text, value, beside, f" {joined}")
        match = _CONTINUATION.search(text, value.start)
        line_end = match[1] if match else "\n"
        indent = _find_indent(text, value, placed[-1].start)
        lines = "".join(f" \\{line_end}{indent}{argument}" for argument in arguments)
        return _insert_quoted(text, value, placed[-1].end, lines)
    return _insert_quoted(text, value, placed[-1].end, f" {joined}")


def remove_arguments(text: str, placed: list[PlacedWord], ranges: Iterable[tuple[int, int]]) -> list[Edit]:
    """Return the edits that remove the words from the first to the last index of each range.

    The blanks and line continuations before a word are removed with it, but never a comment line.
    """
    edits = []
    for first, last in ranges:
        start, end = placed[first].start, placed[last].end
        if first > 0:
            start = _find_gap_start(text, placed[first - 1].end, start)
        elif last + 1 < len(placed) and _GAP.match(text[end : placed[last + 1].start]):
            end = placed[last + 1].start
        edits.append(Edit(start=start, end=end))
    return edits


def _find_gap_start(text: str, after: int, before: int) -> int:
    return after if _GAP.match(text[after:before]) else before


def _find_end_on_one_line(text: str, placed: list[PlacedWord], ranges: Sequence[tuple[int, int]]) -> int | None:
    """Return the end of the last range if all ranges share one line, and not the last line."""
    if not ranges:
        return None
    start, end = placed[ranges[0][0]].start, placed[ranges[-1][1]].end
    is_last = not LINE_END.search(text, end, placed[-1].start)
    return None if is_last or LINE_END.search(text, start, end) else end


def _find_indent(text: str, value: Value, position: int) -> str:
    line_start = max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1
    if line_start <= value.start:
        return ""
    match = _INDENT.match(text, line_start)
    return match.group() if match else ""


def _insert_quoted(text: str, value: Value, place: int, added: str) -> list[Edit]:
    """Return the edits that insert `added`, and put the whole word in quotes if a blank would end it."""
    if value.bare is None or " " not in added:
        return [Edit(start=place, end=place, text=added)]
    start, end = value.bare
    if place != end:
        reason = "cannot extend the value: put it in one pair of quotes first"
        raise FormatError(find_line_number(text, value.start), reason)
    return [Edit(start=start, end=start, text='"'), Edit(start=end, end=end, text=f'{added}"')]

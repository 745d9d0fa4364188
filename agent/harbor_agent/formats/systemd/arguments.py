"""Arguments inside a text that is split into words: the value of a variable, or an ExecStart= line.

Adding and removing here are each other's inverse, and both keep the style of the text: one argument a line
where it has continuation lines, beside its kin where all of them stand on one such line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import find_flags
from harbor_agent.formats.systemd.syntax import Escapes, words
from harbor_agent.formats.text import CACHED_FILES, LINE_END, Edit, FormatError, line_number

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTINUATION = re.compile(r"\\(\r\n|\n|\r)")
_GAP = re.compile(r"(?:[ \t]|\\(?:\r\n|\n|\r))*\Z")
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and where each of its characters stands in its file; `start` is where it begins.

    `continues` says whether backslash-newline is a blank in it. `bare` is the range of the whole word where
    a blank would end it (an unquoted word of Environment=), so that adding to it means quoting it.
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
    """Split a variable's value as `$NAME` does: blanks separate, quotes hold together, one backslash level goes.

    A place covers the quotes and backslashes of its word, as far as they stand inside the value.
    """
    places = value.places
    return [
        PlacedWord(text=text, start=places[start][0], end=places[end - 1][1])
        for text, start, end in _ranges_of_words(value.text)
    ]


@lru_cache(maxsize=CACHED_FILES)
def _ranges_of_words(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((word.text, word.start, word.end) for word in words(text, escapes=Escapes.LITERAL, lenient=True))


def add_arguments(text: str, value: Value, arguments: list[str], kin: str) -> list[Edit]:
    """Return the edits that add `arguments` to the value in `text`, where flags named `kin` may stand already.

    Raises FormatError where no quotes can be put around an unquoted value.
    """
    placed = split_value(value)
    joined = " ".join(arguments)
    if not placed:
        return _quoted(text, value, value.start, joined)
    if value.continues and _CONTINUATION.search(text, placed[0].start, placed[-1].end + 4):
        beside = _last_of_kin_on_one_line(text, placed, kin)
        if beside is not None:
            return _quoted(text, value, beside, f" {joined}")
        match = _CONTINUATION.search(text, value.start)
        line_end = match[1] if match else "\n"
        indent = _indent_of(text, value, placed[-1].start)
        lines = "".join(f" \\{line_end}{indent}{argument}" for argument in arguments)
        return _quoted(text, value, placed[-1].end, lines)
    return _quoted(text, value, placed[-1].end, f" {joined}")


def remove_arguments(text: str, placed: list[PlacedWord], ranges: Iterable[tuple[int, int]]) -> list[Edit]:
    """Return the edits that take out the words from the first up to the last index of each range.

    The blanks and line joins before a word go with it, never a comment line.
    """
    edits = []
    for first, last in ranges:
        start, end = placed[first].start, placed[last].end
        if first > 0:
            start = _gap_start(text, placed[first - 1].end, start)
        elif last + 1 < len(placed) and _GAP.match(text[end : placed[last + 1].start]):
            end = placed[last + 1].start
        edits.append(Edit(start=start, end=end))
    return edits


def _gap_start(text: str, after: int, before: int) -> int:
    return after if _GAP.match(text[after:before]) else before


def _last_of_kin_on_one_line(text: str, placed: list[PlacedWord], kin: str) -> int | None:
    """Return where the last flag of the kin ends, if all stand on one line that is not the last one."""
    ranges = [(flag.first, flag.last) for flag in find_flags([word.text for word in placed]) if flag.name == kin]
    if not ranges:
        return None
    start, end = placed[ranges[0][0]].start, placed[ranges[-1][1]].end
    is_last = not LINE_END.search(text, end, placed[-1].start)
    return None if is_last or LINE_END.search(text, start, end) else end


def _indent_of(text: str, value: Value, position: int) -> str:
    line_start = max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1
    if line_start <= value.start:
        return ""
    match = _INDENT.match(text, line_start)
    return match.group() if match else ""


def _quoted(text: str, value: Value, place: int, added: str) -> list[Edit]:
    """Return the edits that insert `added`, in quotes with the whole word where a blank would end it."""
    if value.bare is None or " " not in added:
        return [Edit(start=place, end=place, text=added)]
    start, end = value.bare
    if place != end:
        reason = "the value cannot be extended: put it in one pair of quotes first"
        raise FormatError(line_number(text, value.start), reason)
    return [Edit(start=start, end=start, text='"'), Edit(start=end, end=end, text=f'{added}"')]

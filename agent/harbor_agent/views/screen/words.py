"""Changed lines of a diff in pairs, and the words that differ within a pair."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Arguments and items of lists, and what separates them.
_ARGUMENTS = re.compile(r"[^\s\"',;\[\]{}()]+")
_WORDS = re.compile(rf"\s+|[\"',;\[\]{{}}()]|{_ARGUMENTS.pattern}")
_LEAST_SIMILAR = 0.4
_LONGEST_LINE = 4000
_MOST_LINES = 200

# Positions of a line's characters that differ from its partner.
Marks = frozenset[int]


def pair_lines(removed: Sequence[str], added: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of lines that are similar enough to be one line before and after, in their order."""
    pairs: list[tuple[int, int]] = []
    start = 0
    if len(removed) * len(added) > _MOST_LINES:
        return pairs
    for index, line in enumerate(removed):
        likes = [(_measure_similarity(line, added[other]), -other) for other in range(start, len(added))]
        best, other = max(likes, default=(0.0, 0))
        if best >= _LEAST_SIMILAR:
            pairs.append((index, -other))
            start = 1 - other
    return pairs


def mark_words(before: str, after: str) -> tuple[Marks, Marks]:
    """Return the positions of the words of each line that the other one does not have; blanks at the ends excluded."""
    left, right = _WORDS.findall(before), _WORDS.findall(after)
    codes = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    changed = [code for code in codes if code[0] != "equal"]
    return (
        _find_positions(left, [(start, end) for _, start, end, _, _ in changed]),
        _find_positions(right, [(start, end) for _, _, _, start, end in changed]),
    )


def _measure_similarity(before: str, after: str) -> float:
    if max(len(before), len(after)) > _LONGEST_LINE:
        return 0.0
    return SequenceMatcher(None, _ARGUMENTS.findall(before), _ARGUMENTS.findall(after), autojunk=False).ratio()


def _find_positions(words: Sequence[str], ranges: Sequence[tuple[int, int]]) -> Marks:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    found: set[int] = set()
    for first, last in ranges:
        begin, end = first, last
        while begin < end and words[begin].isspace():
            begin += 1
        while begin < end and words[end - 1].isspace():
            end -= 1
        found.update(range(starts[begin], starts[end]) if begin < end else ())
    return frozenset(found)

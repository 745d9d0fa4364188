"""Lines of a width that counts columns: Chinese characters take two, and a line may end after any of them."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

# A run without blanks, or one wide character; closing punctuation stays with what is before it.
_TOKEN = re.compile(r" +|[^\s\u2e80-\uffef]+[，。；：、）！？]*|[（《“]*[\u2e80-\uffef][，。；：、）！？]*")


def count_columns(text: str) -> int:
    """Return how many columns a terminal takes for `text`."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrap_columns(text: str, width: int) -> list[str]:
    """Return lines of at most `width` columns; a longer run without blanks has a line of its own."""
    lines, line, used = [], "", 0
    for token in _TOKEN.findall(text):
        size = count_columns(token)
        if line and used + (0 if token.isspace() else size) > width:
            lines.append(line.rstrip())
            line, used = "", 0
        if line or not token.isspace():
            line += token
            used += size
    return [*lines, line.rstrip()] if line.strip() else lines

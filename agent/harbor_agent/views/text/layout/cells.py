"""The columns that text takes on a terminal: two for each East Asian wide character, none for a combining one."""

from __future__ import annotations

import re

# A run without blanks, or one wide character: a line may end after it. Closing punctuation stays with what is before.
_TOKEN = re.compile(r" +|[^\s\u2e80-\uffef]+[，。；：、）！？]*|[（《“]*[\u2e80-\uffef][，。；：、）！？]*")


def measure_text(text: str) -> int:
    """Return the number of columns of a line without escape sequences and tabs."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - 0.02 s that plain text need not wait for

    return cell_len(text)


def fill_cell(text: str, width: int) -> str:
    """Return the text with blanks up to `width` columns."""
    return text + " " * (width - measure_text(text))


def wrap_text(text: str, width: int) -> list[str]:
    """Return lines of at most `width` columns; a longer run without blanks has a line of its own."""
    lines, line, used = [], "", 0
    for token in _TOKEN.findall(text):
        size = measure_text(token)
        if line and used + (0 if token.isspace() else size) > width:
            lines.append(line.rstrip())
            line, used = "", 0
        if line or not token.isspace():
            line += token
            used += size
    return [*lines, line.rstrip()] if line.strip() else lines


def cut_text(text: str, width: int) -> str:
    """Return the beginning of the text that fits into `width` columns."""
    while measure_text(text) > width:
        text = text[: max(width, 0)] if len(text) > width else text[:-1]
    return text

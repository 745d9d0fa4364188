"""The columns that text takes on a terminal: two for each East Asian wide character, none for a combining one."""

from __future__ import annotations


def measure_text(text: str) -> int:
    """Return the number of columns of a line without escape sequences and tabs."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - 0.02 s that plain text need not wait for

    return cell_len(text)


def fill_cell(text: str, width: int) -> str:
    """Return the text with blanks up to `width` columns."""
    return text + " " * (width - measure_text(text))


def cut_text(text: str, width: int) -> str:
    """Return the beginning of the text that fits into `width` columns."""
    while measure_text(text) > width:
        text = text[: max(width, 0)] if len(text) > width else text[:-1]
    return text

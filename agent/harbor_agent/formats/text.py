"""What every lossless format shares: bytes seen as text with exact offsets, faults with a line, edits.

Files are decoded as Latin-1, so that one character is one byte, offsets are byte offsets and what is not
edited comes back byte for byte, whatever its encoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Files are the same on most nodes, and a plan evaluates each of them several times.
CACHED_FILES = 32
LINE_END = re.compile(r"\r\n|\n\r?|\r")


class FormatError(Exception):
    """A file that its reader could not use; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        """Keep the line and the reason, a clause such as "the quote is not closed"."""
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line that its reader skips, and why; `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace the characters from `start` up to `end` by `text`."""

    start: int
    end: int
    text: str = ""


def decode(content: bytes) -> str:
    """Return the bytes as text of the same length."""
    return content.decode("latin-1")


def encode(text: str) -> bytes:
    """Return the bytes that `decode` made the text of."""
    return text.encode("latin-1")


def readable(text: str) -> str:
    """Return decoded text as people write it: UTF-8 where it is, undecodable bytes as surrogates."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether the bytes behind decoded text are valid UTF-8."""
    try:
        encode(text).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Return the text with edits that do not overlap applied; equal places keep the order given."""
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def line_number(text: str, offset: int) -> int:
    """Return the line, from 1, that `offset` is on."""
    return len(LINE_END.findall(text, 0, offset)) + 1


def line_end_of(text: str) -> str:
    """Return the line end that the text uses first; LF for a text of one line."""
    match = LINE_END.search(text)
    return match.group() if match else "\n"

"""Common to all lossless formats: bytes as text with exact offsets, faults with a line number, edits.

Files are decoded as Latin-1: one character is one byte, offsets are byte offsets, and text that is not edited is
written back byte for byte, in any encoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Most nodes have the same files, and a plan evaluates each file several times.
CACHED_FILES = 32
LINE_END = re.compile(r"\r\n|\n\r?|\r")


class FormatError(Exception):
    """A file that its parser rejects; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        """Keep the line and the reason, such as "the quote is not closed"."""
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line that systemd skips, and why; `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A replacement of the characters from `start` up to `end` by `text`."""

    start: int
    end: int
    text: str = ""


def decode(content: bytes) -> str:
    """Return the bytes as text of the same length."""
    return content.decode("latin-1")


def encode(text: str) -> bytes:
    """Return the bytes of text that `decode` returned."""
    return text.encode("latin-1")


def to_unicode(text: str) -> str:
    """Return the characters that decoded text means in UTF-8, bytes that are not UTF-8 as surrogates."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether the bytes of decoded text are valid UTF-8."""
    try:
        encode(text).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Apply edits that do not overlap; of several insertions at one place, the last one comes first in the text."""
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def find_line_number(text: str, offset: int) -> int:
    """Return the number (from 1) of the line that contains `offset`."""
    return len(LINE_END.findall(text, 0, offset)) + 1


def find_line_end(text: str) -> str:
    """Return the first line end of the text, or LF if it has none."""
    match = LINE_END.search(text)
    return match.group() if match else "\n"

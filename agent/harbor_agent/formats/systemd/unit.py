"""Unit files and drop-ins: lines and assignments, with the place of each character in the file.

The rules are those of config_parse() in systemd's sources: a backslash at the very end of a line joins the next line
with a blank, comment lines inside such a run are dropped, lines are stripped, and a line before the first section or
without `=` is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.syntax import WHITESPACE
from harbor_agent.formats.text import CACHED_FILES, LINE_END, Fault, FormatError, decode, find_line_end, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENTS = "#;"
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A `key=value` in a section; `offsets[i]` is the offset of character i of the value in the file.

    `start` and `end` enclose all of its lines including the last line end; `line` counts from 1.
    `value_start` is where the value begins, even if it is empty.
    """

    section: str
    key: str
    value: str
    offsets: tuple[int, ...]
    value_start: int
    start: int
    end: int
    line: int

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Return the range in the file of the value's characters from index `first` up to `last`."""
        return self.offsets[first], self.offsets[last - 1] + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    """A parsed unit file or drop-in; `faults` are the lines that systemd skips."""

    text: str
    assignments: tuple[Assignment, ...]
    faults: tuple[Fault, ...]
    last_section: str


@dataclass(frozen=True, slots=True)
class _Logical:
    """One line after joining continuation lines, with the offset of each character."""

    text: str
    offsets: list[int]
    start: int
    end: int
    line: int


@lru_cache(maxsize=CACHED_FILES)
def parse_unit(content: bytes) -> UnitFile:
    """Parse a unit file. Raises FormatError if systemd rejects the file."""
    text = decode(content)
    if "\0" in text:
        raise FormatError(1 + text[: text.index("\0")].count("\n"), "contains a NUL byte")
    section = ""
    assignments: list[Assignment] = []
    faults: list[Fault] = []
    for line in _join_logical_lines(text):
        stripped = line.text.strip(WHITESPACE)
        if not stripped:
            continue
        # rule SD-16
        if not is_utf8(stripped):
            raise FormatError(line.line, "not UTF-8: systemd stops reading here")
        if stripped.startswith("["):
            # rule SD-17
            if not stripped.endswith("]"):
                raise FormatError(line.line, "the section header has no closing bracket")
            section = stripped[1:-1]
        elif "=" not in stripped:
            faults.append(Fault(line=line.line, reason="missing '='"))
        elif not section:
            faults.append(Fault(line=line.line, reason="not in a section"))
        else:
            assignments.append(_build_assignment(section, line))
    return UnitFile(text=text, assignments=tuple(assignments), faults=tuple(faults), last_section=section)


def append_to_service(unit: UnitFile, body: str) -> str:
    """Return the file with the lines of `body` at the end of a [Service] section, in the file's own line ends.

    A last line that ends in a backslash gets an empty line to continue in: it means the same, and ends there.
    """
    text, line_end = unit.text, find_line_end(unit.text)
    added = body if unit.last_section == "Service" else f"[Service]\n{body}"
    if line_end == "\r\n" and "\r" not in added:
        added = added.replace("\n", "\r\n")
    if text and not text.endswith(("\n", "\r")):
        text += line_end
    while _ends_in_continuation(text):
        text += line_end
    return text + added


def _ends_in_continuation(text: str) -> bool:
    """Whether a line behind the last one would continue it."""
    for start, end, _ in reversed(_split_physical_lines(text)):
        line = text[start:end]
        if not line.lstrip(WHITESPACE).startswith(tuple(_COMMENTS)):
            return _is_continued(line)
    return False


def _is_continued(line: str) -> bool:
    """Whether a line ends in a backslash that is not escaped itself."""
    # rule SD-27
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _build_assignment(section: str, line: _Logical) -> Assignment:
    equals = line.text.index("=")
    raw = line.text[equals + 1 :]
    value = raw.strip(WHITESPACE)
    first = equals + 1 + (len(raw) - len(raw.lstrip(WHITESPACE)) if value else 0)
    offsets = tuple(line.offsets[first : first + len(value)])
    return Assignment(
        section=section,
        key=line.text[:equals].strip(WHITESPACE),
        value=value,
        offsets=offsets,
        value_start=offsets[0] if offsets else line.offsets[equals] + 1,
        start=line.start,
        end=line.end,
        line=line.line,
    )


def _split_physical_lines(text: str) -> list[tuple[int, int, int]]:
    """Return for every line: its start, the end of its text, and the end including the line end."""
    lines, start = [], 0
    for match in LINE_END.finditer(text):
        lines.append((start, match.start(), match.end()))
        start = match.end()
    if start < len(text):
        lines.append((start, len(text), len(text)))
    return lines


def _join_logical_lines(text: str) -> Iterator[_Logical]:
    parts: list[str] = []
    offsets: list[int] = []
    first = (0, 0)
    mark_seen = False
    last_end = 0
    for number, (start, end, after) in enumerate(_split_physical_lines(text), 1):
        # rule SD-26
        if text[start:end].lstrip(WHITESPACE).startswith(tuple(_COMMENTS)):
            continue
        # rule SD-28: one byte order mark, at the start of any line
        skipped = len(_BYTE_ORDER_MARK) if not mark_seen and text.startswith(_BYTE_ORDER_MARK, start, end) else 0
        mark_seen = mark_seen or skipped > 0
        body = text[start + skipped : end]
        first = first if parts else (start, number)
        offsets.extend(range(start + skipped, end))
        last_end = after
        if _is_continued(body):
            # rule SD-25
            parts.append(body[:-1] + " ")
            continue
        yield _Logical("".join((*parts, body)), offsets, first[0], after, first[1])
        parts, offsets = [], []
    if parts:
        yield _Logical("".join(parts), offsets, first[0], last_end, first[1])

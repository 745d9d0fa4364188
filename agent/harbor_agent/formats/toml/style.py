"""How a TOML file is written: its quotes, its indents, its blank lines; new text follows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import Statement, TomlFile

    Path = tuple[str, ...]
    Value = str | list[str] | list[list[str]] | int | bool | Mapping[str, list[str]]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INDENT = "  "


def find_table_end(file: TomlFile, header: Statement) -> int:
    """Return the offset after the last line of a table."""
    end = header.end
    for one in file.statements[file.statements.index(header) + 1 :]:
        if one.is_header:
            break
        end = one.end
    return end


def find_place(file: TomlFile, path: Path) -> int:
    """Return the offset for a new table: after the last table that has most in common with it."""
    for length in range(len(path) - 1, 0, -1):
        headers = [one for one in file.statements if one.is_header and one.path[:length] == path[:length]]
        if headers:
            return find_table_end(file, headers[-1])
    return len(file.text)


def has_blank_lines(file: TomlFile, place: int) -> bool:
    """Whether a blank line parts the tables before `place`; true for the first table, and at the end of the file."""
    headers = [one for one in file.statements if one.is_header and one.start < place]
    if not file.text:
        return False
    if len(headers) < 2 and place == len(file.text):  # noqa: PLR2004 - one table has none before it
        return True
    last = headers[-1] if headers else None
    return last is None or re.search(r"\n[ \t]*\r?\n\Z", file.text[: last.start]) is not None


def find_header_indent(file: TomlFile, path: Path) -> str:
    """Return the indent of a new table's header: that of its neighbours."""
    headers = [one for one in file.statements if one.is_header]
    for one in headers:
        if one.path[: len(path) - 1] == path[:-1] and len(one.path) >= len(path) > 1:
            return read_indent(file, one)
    parent = file.find(path[:-1])
    if parent is None or not parent.is_header:
        return ""
    is_nested = any(read_indent(file, one) for one in headers)
    return read_indent(file, parent) + (_INDENT if is_nested else "")


def find_indent_in(file: TomlFile, header: Statement) -> str:
    """Return the indent of the keys of a table."""
    first = next((one for one in file.statements if one.table == header.table and not one.is_header), None)
    return read_indent(file, first) if first else read_indent(file, header) + find_step(file)


def find_step(file: TomlFile) -> str:
    """Return how much further than its header the keys of a table are indented in this file."""
    header = None
    for one in file.statements:
        if one.is_header:
            header = one
        elif header is not None and one.table == header.table:
            return read_indent(file, one).removeprefix(read_indent(file, header))
    return _INDENT


def read_indent(file: TomlFile, one: Statement) -> str:
    """Return the blanks before a statement."""
    match = re.compile(r"[ \t]*").match(file.text, one.start)
    return match[0] if match else ""


def spell_known_keys(file: TomlFile, path: Path) -> tuple[str, ...]:
    """Return the first keys of `path` as the file spells them in a header."""
    best: tuple[str, ...] = ()
    for one in file.statements:
        if one.is_header:
            common = 0
            while common < min(len(one.path), len(path)) and one.path[common] == path[common]:
                common += 1
            if common > len(best):
                best = one.words[:common]
    return best


def spell_key(file: TomlFile, key: str) -> str:
    """Return a key as the file would spell it, quoted if it has to be."""
    return key if _BARE.fullmatch(key) else write_value(key, find_quote(file))


def find_quote(file: TomlFile) -> str:
    """Return the quote that the file uses: the one of its first quoted key or value."""
    for one in file.statements:
        marks = [word[0] for word in one.words] + [file.text[one.value_start : one.value_start + 1]]
        marks += re.findall(r"""\[\s*(["'])""", file.text[one.value_start : one.value_end])
        if quote := next((mark for mark in marks if mark in ("'", '"')), ""):
            return quote
    return '"'


def write_value(value: Value | Mapping[str, Value], quote: str) -> str:
    """Return a value as TOML, text in these quotes if it can be; a table is written on one line."""
    if isinstance(value, Mapping):
        items = (
            f"{key if _BARE.fullmatch(key) else write_value(key, quote)} = {write_value(one, quote)}"
            for key, one in value.items()
        )
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, list):
        return f"[{', '.join(write_value(one, quote) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if quote == "'" and "'" not in value and value.isprintable():
        return f"'{encode_text(value)}'"
    return encode_text(json.dumps(value, ensure_ascii=False))


def encode_text(text: str) -> str:
    """Return text in UTF-8 as decoded text has it: one character a byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")

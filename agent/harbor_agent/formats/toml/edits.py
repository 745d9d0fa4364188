"""Edits of a TOML file by position. Each is proven: the values afterwards are those before, with the one change."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import FormatError, find_line_number
from harbor_agent.formats.toml.document import parse_values
from harbor_agent.formats.toml.inline import (
    find_item,
    insert_item,
    prepend_to_array,
    remove_first_of_array,
    remove_item,
)
from harbor_agent.formats.toml.style import (
    find_header_indent,
    find_indent_in,
    find_place,
    find_quote,
    find_step,
    find_table_end,
    has_blank_lines,
    read_indent,
    spell_key,
    spell_known_keys,
    write_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.formats.toml.document import Statement, TomlFile

    Path = tuple[str, ...]
    Value = str | list[str] | list[list[str]] | int | bool | Mapping[str, list[str]]

_LINE_END = re.compile(r"\r?\n")


def set_value(file: TomlFile, path: Path, value: Value) -> bytes:
    """Return the file with `value` at `path`; a key or table that is not there is added in the style of the file."""

    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values.setdefault(key, {})
        values[path[-1]] = value

    there = file.find(path)
    if there and not there.is_header:
        written = write_value(value, file.text[there.value_start : there.value_start + 1])
        text = file.text[: there.value_start] + written + file.text[there.value_end :]
        return _prove(file, text, change)
    if inline := _find_inline_table(file, path):
        return _prove(file, _set_inline(file, inline, path, value), change)
    if not path[:-1]:
        return _prove(file, _insert_root_key(file, path[0], value), change)
    dotted = [one for one in file.statements if _is_dotted_into(one, path[:-1])]
    if dotted:
        last = dotted[-1]
        words = (*last.words[: len(path) - 1 - len(last.table)], spell_key(file, path[-1]))
        line = f"{read_indent(file, last)}{'.'.join(words)} = {write_value(value, find_quote(file))}"
        return _prove(file, _insert_lines(file, last.end, [line]), change)
    header = file.find(path[:-1])
    if header is None:
        return add_table(file, path[:-1], {path[-1]: value})
    line = f"{find_indent_in(file, header)}{spell_key(file, path[-1])} = {write_value(value, find_quote(file))}"
    return _prove(file, _insert_lines(file, header.end, [line]), change)


def add_table(file: TomlFile, path: Path, items: Mapping[str, Value], before: Path | None = None) -> bytes:
    """Return the file with a new table: before the header `before`, else after what it belongs to."""

    def change(values: dict[str, Any]) -> None:
        for key in path:
            values = values.setdefault(key, {})
        values.update(items)

    if inline := _find_inline_table(file, path):
        return _prove(file, _set_inline(file, inline, path, items), change)
    anchor = file.find(before) if before else None
    indent = find_header_indent(file, path)
    words = [*spell_known_keys(file, path)]
    words += [spell_key(file, key) for key in path[len(words) :]]
    step = find_step(file)
    block = [f"{indent}[{'.'.join(words)}]"]
    block += [f"{indent}{step}{spell_key(file, key)} = {write_value(v, find_quote(file))}" for key, v in items.items()]
    if anchor:
        parted = re.search(r"\n[ \t]*\r?\n\Z", file.text[: anchor.start])
        return _prove(file, _insert_lines(file, anchor.start, [*block, ""] if parted else block), change)
    place = find_place(file, path)
    lines = ["", *block] if has_blank_lines(file, place) else block
    return _prove(file, _insert_lines(file, place, lines), change)


def remove_table(file: TomlFile, path: Path) -> bytes:
    """Return the file without the table and the tables in it, and without the blank line before it."""

    def change(values: dict[str, Any]) -> None:
        _delete(values, path)

    if inline := _find_inline_table(file, path):
        return _prove(file, remove_item(file.text, inline.value_start, path[len(inline.path) :]), change)
    text = file.text
    for one in reversed(file.statements):
        if one.is_header and one.path[: len(path)] == path:
            text = _cut(text, one.start, find_table_end(file, one))
        elif not one.is_header and one.path[: len(path)] == path and one.table[: len(path)] != path:
            text = text[: one.start] + text[one.end :]
    return _prove(file, text, change)


def remove_key(file: TomlFile, path: Path) -> bytes:
    """Return the file without the line of a key."""

    def change(values: dict[str, Any]) -> None:
        _delete(values, path)

    if inline := _find_inline_table(file, path):
        return _prove(file, remove_item(file.text, inline.value_start, path[len(inline.path) :]), change)
    there = file.find(path)
    text = file.text if there is None else file.text[: there.start] + file.text[there.end :]
    return _prove(file, text, change)


def prepend_value(file: TomlFile, path: Path, value: str) -> bytes:
    """Return the file with `value` as the first one of the array at `path`, whose other text stays."""

    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values.setdefault(key, {})
        values[path[-1]] = [value, *values.get(path[-1], ())]

    start = _find_array(file, path)
    if start is None:
        return set_value(file, path, [value])
    return _prove(file, prepend_to_array(file.text, start, write_value(value, find_quote(file))), change)


def remove_first_value(file: TomlFile, path: Path) -> bytes:
    """Return the file without the first value of the array at `path`, whose other text stays."""

    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = values[path[-1]][1:]

    start = _find_array(file, path)
    if start is None:
        raise FormatError(1, f"'{path[-1]}' is not an array")
    return _prove(file, remove_first_of_array(file.text, start), change)


def _prove(file: TomlFile, text: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the content of the edited text. Raises FormatError if its values are not those wanted."""
    wanted = copy.deepcopy(dict(file.values))
    change(wanted)
    if _drop_empty(parse_values(text)) != _drop_empty(wanted):
        raise FormatError(1, "the setting cannot be written without changing another one")
    return file.encode(text)


def _drop_empty(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    """Return the value without empty tables: a header that holds nothing sets nothing."""
    if not isinstance(value, dict):
        return value
    kept = {key: _drop_empty(one) for key, one in value.items()}
    return {key: one for key, one in kept.items() if one != {}}


def _delete(values: dict[str, Any], path: Path) -> None:
    for key in path[:-1]:
        values = values.get(key, {})
    values.pop(path[-1], None)


def _find_inline_table(file: TomlFile, path: Path) -> Statement | None:
    """Return the statement that writes a table above `path` between braces, None if there is none.

    Raises FormatError if something else than a table is there.
    """
    for one in file.statements:
        is_above = not one.is_header and one.path == path[: len(one.path)] and len(one.path) < len(path)
        if is_above and file.text.startswith("{", one.value_start):
            return one
        if is_above or (one.is_array and one.path == path[: len(one.path)]):
            reason = f"'{one.path[-1]}' is not one table"
            raise FormatError(find_line_number(file.text, one.start), reason)
    return None


def _set_inline(file: TomlFile, table: Statement, path: Path, value: Value | Mapping[str, Value]) -> str:
    """Return the text with the value at `path`, which is inside a table between braces."""
    text, quote = file.text, find_quote(file)
    item, start, rest = find_item(text, table.value_start, path[len(table.path) :])
    if item is not None and isinstance(value, Mapping):
        for key, one in value.items():
            text = insert_item(text, item.value_start, f"{spell_key(file, key)} = {write_value(one, quote)}")
        return text
    if item is not None:
        mark = text[item.value_start : item.value_start + 1]
        return text[: item.value_start] + write_value(value, mark) + text[item.end :]
    written = write_value(value, quote)
    for key in reversed(rest[1:]):
        written = f"{{ {spell_key(file, key)} = {written} }}"
    return insert_item(text, start, f"{spell_key(file, rest[0])} = {written}")


def _find_array(file: TomlFile, path: Path) -> int | None:
    """Return the offset of the array at `path`, None if there is none."""
    there = file.find(path)
    start = there.value_start if there and not there.is_header else None
    if there is None and (inline := _find_inline_table(file, path)):
        item, _, _ = find_item(file.text, inline.value_start, path[len(inline.path) :])
        start = item.value_start if item else None
    return start if start is not None and file.text.startswith("[", start) else None


def _is_dotted_into(one: Statement, table: Path) -> bool:
    """Whether a key is written with dots through `table`, which then has no header of its own."""
    inside = one.path[: len(table)] == table and len(one.path) > len(table)
    return not one.is_header and inside and len(one.table) < len(table)


def _insert_root_key(file: TomlFile, key: str, value: Value) -> str:
    line = f"{spell_key(file, key)} = {write_value(value, find_quote(file))}"
    if not file.statements:
        return _insert_lines(file, len(file.text), [line])
    first = file.statements[0]
    return _insert_lines(file, first.start, [line, ""] if first.is_header else [line])


def _insert_lines(file: TomlFile, place: int, lines: list[str]) -> str:
    found = _LINE_END.search(file.text)
    end = found[0] if found else "\n"
    before, after = file.text[:place], file.text[place:]
    if before and not before.endswith("\n"):
        return before + "".join(end + line for line in lines)
    return before + "".join(line + end for line in lines) + after


def _cut(text: str, start: int, end: int) -> str:
    """Return the text without a block, and without one blank line before it."""
    before, after = text[:start], text[end:]
    if match := re.search(r"(?<=\n)[ \t]*\r?\n\Z", before):
        before = before[: match.start()]
    if not after and text and not text.endswith("\n"):
        before = re.sub(r"\r?\n\Z", "", before)
    return before + after

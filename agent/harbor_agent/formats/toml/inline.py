"""Values inside braces and brackets: tables on one line and the items of arrays, edited by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.text import FormatError, find_line_number
from harbor_agent.formats.toml.document import read_word, read_words, skip_blank, skip_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineItem:
    """A key with its value between braces, from `start` up to `end`; the value is from `value_start` up to `end`."""

    key: tuple[str, ...]
    start: int
    value_start: int
    end: int


def list_items(text: str, start: int) -> Iterator[InlineItem]:
    """Yield the items of the table whose opening brace is at `start`; the text is valid TOML."""
    position = skip_blank(text, start + 1)
    while text[position] != "}":
        first = position
        words, position = read_words(text, position)
        value_start = skip_blank(text, position + 1)
        end = skip_value(text, value_start, ",}")
        yield InlineItem(key=tuple(map(read_word, words)), start=first, value_start=value_start, end=end)
        position = skip_blank(text, end)
        if text[position] == ",":
            position = skip_blank(text, position + 1)


def find_item(text: str, start: int, path: Path) -> tuple[InlineItem | None, int, Path]:
    """Follow `path` into the table at `start`.

    Return its item if there is one, else the offset of the innermost table on the way and the rest of the path. Raises
    FormatError if something else than a table is on the way.
    """
    for item in list_items(text, start):
        if item.key == path:
            return item, start, path
        if item.key == path[: len(item.key)]:
            if text[item.value_start] != "{":
                raise FormatError(find_line_number(text, item.start), f"'{item.key[-1]}' is not one table")
            return find_item(text, item.value_start, path[len(item.key) :])
    return None, start, path


def insert_item(text: str, start: int, item: str) -> str:
    """Return the text with one more item at the end of the table at `start`."""
    items = list(list_items(text, start))
    if items:
        return f"{text[: items[-1].end]}, {item}{text[items[-1].end :]}"
    return f"{text[: start + 1]} {item} {text[text.index('}', start) :]}"


def remove_item(text: str, start: int, path: Path) -> str:
    """Return the text without the item at `path`, and with its comma gone; unchanged if there is none."""
    found, table, _ = find_item(text, start, path)
    if found is None:
        return text
    items = list(list_items(text, table))
    place = items.index(found)
    if place:
        return text[: items[place - 1].end] + text[found.end :]
    if len(items) > 1:
        return text[: found.start] + text[items[1].start :]
    return text[: table + 1] + text[text.index("}", found.end) :]


def prepend_to_array(text: str, start: int, value: str) -> str:
    """Return the text with one more value at the start of the array at `start`, on a line of its own if those are."""
    first = start + 1
    while text[first] in " \t\r\n":
        first += 1
    if text[first] == "]":
        return f"{text[: start + 1]}{value}{text[start + 1 :]}"
    blank = text[start + 1 : first]
    separator = blank if "\n" in blank else " "
    return f"{text[:first]}{value},{separator}{text[first:]}"


def remove_first_of_array(text: str, start: int) -> str:
    """Return the text without the first value of the array at `start`: what `prepend_to_array` added."""
    first = skip_blank(text, start + 1)
    end = skip_value(text, first, ",]")
    comma = skip_blank(text, end)
    if text[comma] == "]":
        return text[: start + 1] + text[comma:]
    following = comma + 1
    while text[following] in " \t\r\n":
        following += 1
    return text[:first] + text[following:]

"""A TOML file with its values and the place of every statement (https://toml.io/en/v1.0.0)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import CACHED_FILES, FormatError, decode, encode, find_line_number, to_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BYTE_ORDER_MARK = "\xef\xbb\xbf"
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""",
    re.DOTALL,
)
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A table's header or a key with its value; offsets are those in the text.

    `table` is the table in which it is written (of a header its own path), `key` what follows in the statement, empty
    for a header. `words` are the keys of the statement as they are spelled. The lines are those from `start` up to
    `end`, with the line end; the value is from `value_start` up to `value_end`.
    """

    table: tuple[str, ...]
    key: tuple[str, ...] = ()
    words: tuple[str, ...]
    start: int
    end: int
    value_start: int = 0
    value_end: int = 0
    is_array: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The path of the table or value from the root."""
        return (*self.table, *self.key)

    @property
    def is_header(self) -> bool:
        """Whether it is the header of a table."""
        return not self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """A TOML file; `text` is without its byte order mark."""

    text: str
    has_mark: bool
    values: Mapping[str, Any]
    statements: tuple[Statement, ...]

    def encode(self, text: str) -> bytes:
        """Return `text` as the content of this file, with the byte order mark if it had one."""
        return encode((BYTE_ORDER_MARK if self.has_mark else "") + text)

    def find(self, path: tuple[str, ...]) -> Statement | None:
        """Return the statement that writes the value or the header at `path`."""
        return next((one for one in self.statements if one.path == path and not one.is_array), None)

    def line(self, path: tuple[str, ...]) -> int:
        """Return the line (from 1) of a value or table, 1 if it has no statement of its own."""
        found = next((one for one in self.statements if one.path[: len(path)] == path), None)
        return find_line_number(self.text, found.start) if found else 1


@lru_cache(maxsize=CACHED_FILES)
def parse_toml(content: bytes) -> TomlFile:
    """Parse the file. Raises FormatError with the line if it is not valid."""
    text = decode(content)
    has_mark = text.startswith(BYTE_ORDER_MARK)
    text = text.removeprefix(BYTE_ORDER_MARK)
    values = parse_values(text)
    return TomlFile(text=text, has_mark=has_mark, values=values, statements=tuple(_read_statements(text)))


def parse_values(text: str) -> dict[str, Any]:
    """Return the values of a decoded text. Raises FormatError with the line."""
    try:
        return tomllib.loads(encode(text).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(find_line_number(text, error.start), "it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # the message quotes no value, only the kind of the fault
        message = str(error)
        place = _AT_LINE.search(message)
        line = int(place[1]) if place else text.count("\n") + 1
        raise FormatError(line, _AT_LINE.sub("", message).removesuffix(" (at end of document)")) from None


def _read_statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a text that is valid."""
    table: tuple[str, ...] = ()
    position = skip_blank(text, 0)
    while position < len(text):
        start = text.rfind("\n", 0, position) + 1
        if text[position] == "[":
            is_array = text.startswith("[[", position)
            words, position = read_words(text, position + 1 + is_array)
            table = tuple(map(read_word, words))
            end = _find_end(text, position)
            yield Statement(table=table, words=words, start=start, end=end, is_array=is_array)
        else:
            words, position = read_words(text, position)
            value_start = re.compile(r"[ \t]*").match(text, position + 1).end()  # type: ignore[union-attr]
            value_end = skip_value(text, value_start)
            end = _find_end(text, value_end)
            key = tuple(map(read_word, words))
            yield Statement(
                table=table,
                key=key,
                words=words,
                start=start,
                end=end,
                value_start=value_start,
                value_end=value_end,
            )
        position = skip_blank(text, end)


def skip_blank(text: str, position: int) -> int:
    """Return the offset after blanks, line ends and comments."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _find_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def read_words(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """Return the words of a dotted key, and the offset after them."""
    words = []
    while match := _KEY.match(text, position):
        words.append(match[1])
        position = match.end()
        if not text.startswith(".", position):
            break
        position += 1
    return tuple(words), position


def read_word(word: str) -> str:
    """Return the key that a word spells."""
    if word[0] not in "\"'":
        return word
    return str(tomllib.loads(f"word = {to_unicode(word)}")["word"])


def skip_value(text: str, position: int, stops: str = "#\n") -> int:
    """Return the offset after the value that starts at `position`: it ends before one of `stops`."""
    depth, end = 0, position
    while position < len(text):
        if match := _STRING.match(text, position):
            position = end = match.end()
            continue
        character = text[position]
        if character == "#" and depth:
            position = _find_end(text, position)
            continue
        if not depth and character in stops:
            break
        depth += (character in "[{") - (character in "]}")
        position += 1
        if character not in " \t\r\n":
            end = position
    return end

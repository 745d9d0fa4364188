"""Words, quotes, escapes, specifiers and variables of systemd (systemd.syntax(7), systemd.unit(5), systemd.service(5)).

The rules are those of extract_first_word(), specifier_printf() and replace_env_argv() in systemd's sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHITESPACE = " \t\n\r"
_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # fmt: skip
_NUMERIC_ESCAPE = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})")
_HIGHEST_CODE_POINT = 0x10FFFF

# Specifiers with the same value for every system service that runs as root. %T and %V depend on TMPDIR.
_SPECIFIERS = {
    "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "h": "/root",
    "u": "root", "U": "0", "g": "root", "G": "0",
}  # fmt: skip
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
# All that systemd 257 knows. It drops a setting with another letter or digit after the %; other characters stay.
_KNOWN_SPECIFIERS = frozenset("%aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY")
_ESCAPED = re.compile(r"-|\\x([0-9a-fA-F]{2})")
# systemd does not expand `${NAME:-default}` in ExecStart=
_END_OF_NAME = re.compile(r"[}:]")


class Escapes(Enum):
    """The meaning of a backslash: C escapes only, C escapes if known, or quoting the next character."""

    STRICT = "strict"
    RELAXED = "relaxed"
    LITERAL = "literal"


class WordError(Exception):
    """A word that systemd rejects; what it does with the rest of the line depends on the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word: `text` is its meaning, `places` are the source ranges of the characters of `text`.

    `closing_quote` is the place of its closing quote if that is the word's last character.
    """

    text: str
    start: int
    end: int
    places: tuple[tuple[int, int], ...]
    quoted: bool
    closing_quote: int | None


def split_words(text: str, *, escapes: Escapes = Escapes.STRICT, lenient: bool = False) -> Iterator[Word]:
    """Yield the words of `text`; `lenient` accepts an unclosed quote.

    Raises WordError for an unclosed quote or an unknown escape, after yielding the words before it.
    """
    position = 0
    while True:
        while position < len(text) and text[position] in WHITESPACE:
            position += 1
        if position >= len(text):
            return
        word = _read_word(text, position, escapes, lenient=lenient)
        yield word
        position = word.end


def _read_word(text: str, start: int, escapes: Escapes, *, lenient: bool) -> Word:
    position, quote, quoted = start, "", False
    meaning: list[str] = []
    places: list[tuple[int, int]] = []
    closing: int | None = None
    while position < len(text):
        character = text[position]
        if not quote and character in WHITESPACE:
            break
        length, produced = 1, character
        if character == "\\":
            length, produced = _read_escape(text, position, escapes, lenient=lenient)
        elif character in "'\"" and quote in ("", character):
            closing = position if quote else closing
            quote, quoted, produced = ("" if quote else character), True, ""
        for one in produced:
            meaning.append(one)
            places.append((position, position + length))
        position += length
    # rule SD-30
    if quote and not lenient:
        raise WordError("the quote is not closed")
    at_end = closing if closing == position - 1 else None
    return Word(
        text="".join(meaning),
        start=start,
        end=position,
        places=tuple(places),
        quoted=quoted,
        closing_quote=at_end,
    )


def _read_escape(text: str, position: int, escapes: Escapes, *, lenient: bool) -> tuple[int, str]:
    """Return the length of the escape at `position`, and the text that it means."""
    following = text[position + 1 : position + 2]
    if not following:
        if escapes is Escapes.RELAXED:
            return 1, "\\"
        if lenient:
            return 1, ""
        raise WordError("nothing follows the backslash")
    # rule SD-39
    if escapes is Escapes.LITERAL:
        return 2, following
    if following in _SIMPLE_ESCAPES:
        return 2, _SIMPLE_ESCAPES[following]
    match = _NUMERIC_ESCAPE.match(text, position + 1)
    if match:
        octal = match[4]
        code = int(octal, 8) if octal else int(match[1] or match[2] or match[3], 16)
        if 0 < code <= _HIGHEST_CODE_POINT:
            as_bytes = bytes([code]) if match[1] or octal else chr(code).encode("utf-8", "surrogatepass")
            return 1 + len(match.group()), as_bytes.decode("latin-1")
    if escapes is Escapes.RELAXED:
        # rule SD-32
        return 2, "\\" + following
    # rule SD-31
    raise WordError(f"unknown escape '\\{following}'")


def expand_specifiers(text: str, unit: str) -> str:
    """Replace specifiers that are the same on every node; those of the machine (%H, %m …) and unknown ones stay."""
    known = _build_specifiers(unit)
    # rule SD-33
    return _SPECIFIER.sub(lambda match: known.get(match[1], match.group()), text)


@lru_cache(maxsize=8)
def _build_specifiers(unit: str) -> Mapping[str, str]:
    name = unit.rpartition(".")[0]
    prefix, _, instance = name.partition("@")
    last = prefix.rpartition("-")[2]
    return {
        **_SPECIFIERS,
        "n": unit, "N": name, "p": prefix, "P": _unescape_name(prefix), "i": instance, "I": _unescape_name(instance),
        "j": last, "J": _unescape_name(last), "f": "/" + _unescape_name(instance or prefix).removeprefix("/"),
    }  # fmt: skip


def _unescape_name(name: str) -> str:
    """Undo systemd-escape(1)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "/", name)


def find_unknown_specifier(text: str) -> str | None:
    """Return the first specifier that makes systemd drop the setting, or None."""
    for match in _SPECIFIER.finditer(text):
        # rule SD-14
        if match[1] not in _KNOWN_SPECIFIERS and match[1].isascii() and match[1].isalnum():
            return match.group()
    return None


def parse_whole_variable(word: str) -> str | None:
    """Return NAME if the word is `$NAME`, which systemd splits into several arguments; None otherwise."""
    return word[1:] if word.startswith("$") and not word.startswith(("${", "$$")) else None


def replace_variables(word: str, environment: Mapping[str, str]) -> str:
    """Return the word with `${NAME}` replaced (an unset variable is empty) and `$$` as `$`."""
    parts: list[str] = []
    position = 0
    while (dollar := word.find("$", position)) >= 0:
        parts.append(word[position:dollar])
        position = dollar + 2
        match word[dollar + 1 : position]:
            # rule SD-36
            case "$":
                parts.append("$")
            case "{":
                end = _END_OF_NAME.search(word, position)
                if end is None:
                    position = dollar
                    break
                # rule SD-38
                is_name = end.group() == "}"
                # rule SD-35
                parts.append(environment.get(word[position : end.start()], "") if is_name else word[dollar : end.end()])
                position = end.end()
            case following:
                parts.append("$")
                position -= len(following)
    return "".join((*parts, word[position:]))

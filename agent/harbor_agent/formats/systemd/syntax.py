"""systemd's words, quotes, escapes, specifiers and variables (systemd.syntax(7), systemd.unit(5), systemd.service(5)).

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

# Those that depend on nothing but the unit being a system service that root runs. %T and %V are left out:
# TMPDIR moves them.
_SPECIFIERS = {
    "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "h": "/root",
    "u": "root", "U": "0", "g": "root", "G": "0",
}  # fmt: skip
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
# All that systemd knows up to 257; another letter or digit makes it drop the setting, anything else stays.
_KNOWN_SPECIFIERS = frozenset("%aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY")
_ESCAPED = re.compile(r"-|\\x([0-9a-fA-F]{2})")
# `${NAME:-else}` is for other programs of systemd's, and stays as it is
_END_OF_NAME = re.compile(r"[}:]")


class Escapes(Enum):
    """What a backslash does: C escapes only, C escapes where known, or just quoting the next character."""

    STRICT = "strict"
    RELAXED = "relaxed"
    LITERAL = "literal"


class WordError(Exception):
    """A word that cannot be read; what systemd makes of the rest depends on the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word: its meaning, where it stands, and where each of its characters came from.

    `closing_quote` is where its last quote closes, if that is the word's last character.
    """

    text: str
    start: int
    end: int
    places: tuple[tuple[int, int], ...]
    quoted: bool
    closing_quote: int | None


def words(text: str, *, escapes: Escapes = Escapes.STRICT, lenient: bool = False) -> Iterator[Word]:
    """Yield the words of `text`; `lenient` accepts a quote that is not closed.

    Raises WordError, after the words before it, for a quote that is not closed or an escape that is none.
    """
    position = 0
    while True:
        while position < len(text) and text[position] in WHITESPACE:
            position += 1
        if position >= len(text):
            return
        word = _word(text, position, escapes, lenient=lenient)
        yield word
        position = word.end


def _word(text: str, start: int, escapes: Escapes, *, lenient: bool) -> Word:
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
            length, produced = _escaped(text, position, escapes, lenient=lenient)
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


def _escaped(text: str, position: int, escapes: Escapes, *, lenient: bool) -> tuple[int, str]:
    """Return how long the escape at `position` is and what it stands for."""
    following = text[position + 1 : position + 2]
    if not following:
        if escapes is Escapes.RELAXED:
            return 1, "\\"
        if lenient:
            return 1, ""
        raise WordError("a backslash has nothing behind it")
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
    raise WordError(f"'\\{following}' is no escape")


def expand_specifiers(text: str, unit: str) -> str:
    """Replace specifiers that mean the same on every node; those of the machine (%H, %m …) and unknown ones stay."""
    known = _specifiers_of(unit)
    # rule SD-33
    return _SPECIFIER.sub(lambda match: known.get(match[1], match.group()), text)


@lru_cache(maxsize=8)
def _specifiers_of(unit: str) -> Mapping[str, str]:
    name = unit.rpartition(".")[0]
    prefix, _, instance = name.partition("@")
    last = prefix.rpartition("-")[2]
    return {
        **_SPECIFIERS,
        "n": unit, "N": name, "p": prefix, "P": _unescaped(prefix), "i": instance, "I": _unescaped(instance),
        "j": last, "J": _unescaped(last), "f": "/" + _unescaped(instance or prefix).removeprefix("/"),
    }  # fmt: skip


def _unescaped(name: str) -> str:
    """Undo systemd-escape(1)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "/", name)


def unknown_specifier(text: str) -> str | None:
    """Return the first specifier that makes systemd drop the setting; None where there is none."""
    for match in _SPECIFIER.finditer(text):
        # rule SD-14
        if match[1] not in _KNOWN_SPECIFIERS and match[1].isascii() and match[1].isalnum():
            return match.group()
    return None


def whole_variable(word: str) -> str | None:
    """Return NAME where the word is `$NAME` and thus splits into arguments; None otherwise."""
    return word[1:] if word.startswith("$") and not word.startswith(("${", "$$")) else None


def replace_variables(word: str, environment: Mapping[str, str]) -> str:
    """Return the word with `${NAME}` replaced, by nothing where it is not set, and `$$` as `$`."""
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

"""The words of a Corefile with their places, as caddyfile/lexer.go of github.com/coredns/caddy splits them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

BYTE_ORDER_MARK: Final = "\ufeff"
# unicode.IsSpace of Go without the carriage return, which is dropped inside a word. Python's \s differs.
_SPACE: Final = "\\t\\n\\v\\f \\x85\\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_IGNORED: Final = re.compile(f"[{_SPACE}\\r]+|#[^\\n]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\[\s\S])*)(?:(")|\\?\Z)')
_ESCAPED: Final = re.compile(r"\\([\s\S])")
# A '#' inside a word ends it and hides what follows up to the next blank, not up to the end of the line.
_WORD: Final = re.compile(f"([^{_SPACE}#]+)(?:#[^{_SPACE}]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word from `start` up to `end` of its file, quotes included; `text` is its meaning, `line` counts from 1.

    `file` is "" for the Corefile itself. `snippet` is the name of the snippet that an import copied the word from, ""
    if there was none.
    """

    text: str
    start: int
    end: int
    line: int
    file: str = ""
    snippet: str = ""

    @property
    def last_line(self) -> int:
        """The line on which the word ends: a later one than `line` if a line break is quoted."""
        return self.line + self.text.count("\n")

    def continues(self, before: Token) -> bool:
        """Whether the word is on the line that ends with `before`."""
        return self.file == before.file and self.line == before.last_line

    def begins_line_after(self, before: Token) -> bool:
        """Whether the word is on a new line, seen from `before`; false if a snippet was defined on an earlier line."""
        return self.file != before.file or self.line > before.last_line


def split_tokens(text: str, file: str = "") -> list[Token]:
    """Split a Corefile into its words, comments left out. Every text can be split."""
    tokens: list[Token] = []
    position, line = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0, 1
    while position < len(text):
        if match := _IGNORED.match(text, position):
            pass
        elif match := _QUOTED.match(text, position):
            value = _ESCAPED.sub(lambda escape: '"' if escape[1] == '"' else escape[0], match[1])
            if value or match[2]:
                tokens.append(Token(text=value, start=position, end=match.end(), line=line, file=file))
        elif match := _WORD.match(text, position):
            end = position + len(match[1].rstrip("\r"))
            tokens.append(Token(text=match[1].replace("\r", ""), start=position, end=end, line=line, file=file))
        else:  # pragma: no cover - the three patterns cover every character
            break
        line += text.count("\n", position, match.end())
        position = match.end()
    return tokens

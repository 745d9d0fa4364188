"""How a Corefile is written: line ends and indentation, so that additions look like the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.formats.corefile.document import ServerBlock
    from harbor_agent.formats.corefile.lexer import Token

_BLANKS = " \t"
INDENT = "    "


def find_newline(text: str) -> str:
    """Return the line end of the text's first line: CRLF or LF."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def find_line_start(text: str, position: int) -> int:
    """Return where the line of `position` begins."""
    return text.rfind("\n", 0, position) + 1


def find_next_line(text: str, position: int) -> int | None:
    """Return where the line after `position` begins; None if it is on the last line and that has no line end."""
    end = text.find("\n", position)
    return None if end < 0 else end + 1


def read_indentation(text: str, token: Token) -> str | None:
    """Return the blanks before a word that is the first one of its line; None if it is not."""
    before = text[find_line_start(text, token.start) : token.start].removeprefix("\ufeff")
    return before if not before.strip(_BLANKS) else None


def read_block_indentation(text: str, block: ServerBlock) -> tuple[str, str]:
    """Return the indentation of the block's directives, and of the lines in their bodies."""
    outer = read_indentation(text, block.keys[0]) or ""
    file = block.keys[0].file
    own = [one.tokens[0] for one in block.directives if one.tokens[0].file == file and not one.tokens[0].snippet]
    found = [indent for token in own if (indent := read_indentation(text, token)) is not None]
    indent = found[0] if found else outer + INDENT
    step = indent.removeprefix(outer) if indent.startswith(outer) and indent != outer else INDENT
    return indent, indent + step


def is_rest_of_line_free(text: str, position: int) -> bool:
    """Whether only blanks or a comment follow up to the end of the line."""
    end = text.find("\n", position)
    rest = text[position : end if end >= 0 else len(text)].strip(_BLANKS + "\r")
    return not rest or rest.startswith("#")

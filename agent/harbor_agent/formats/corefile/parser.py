"""Parses a Corefile with the grammar of caddyfile/parse.go of github.com/coredns/caddy, which CoreDNS uses.

Variables such as {$NAME} stay as they are written: their values are those of CoreDNS's container.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.corefile.document import Corefile, Directive, Import, ServerBlock
from harbor_agent.formats.corefile.imports import is_pattern, match_files, resolve_pattern
from harbor_agent.formats.corefile.lexer import split_tokens
from harbor_agent.formats.text import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.corefile.lexer import Token

_MOST_IMPORTS: Final = 500


def parse_corefile(text: str, files: Mapping[str, str] | None = None) -> Corefile:
    """Parse a Corefile; `files` are the contents of the files it may import, by absolute path.

    Accepts exactly what CoreDNS's parser accepts, except that an imported file which is not in `files` is no error
    (`Import.unseen`). Raises FormatError with the line of an error; the line counts in the file that has the error.
    """
    return _Parser(text, files or {}).parse()


class _Parser:
    """A cursor over words; an import replaces its own words with the imported ones."""

    def __init__(self, text: str, files: Mapping[str, str]) -> None:
        self.tokens = split_tokens(text)
        self.files = files
        self.cursor = -1
        self.snippets: dict[str, list[Token]] = {}
        self.imports: list[Import] = []

    def parse(self) -> Corefile:
        blocks: list[ServerBlock] = []
        outside: list[Import] = []
        while self.advance():
            first = len(self.imports)
            keys, ended = self.parse_keys()
            outside += self.imports[first:]
            first = len(self.imports)
            if ended:
                blocks += [ServerBlock(keys=keys)] if keys else []
            elif len(keys) == 1 and keys[0].text.startswith("(") and keys[0].text.endswith(")"):
                self.define_snippet(keys[0])
            elif keys:
                block = self.parse_contents(keys)
                blocks.append(replace(block, imports=tuple(self.imports[first:])))
            else:
                self.parse_contents(keys)
                outside += self.imports[first:]
        return Corefile(blocks=tuple(blocks), imports=tuple(outside), snippets=tuple(self.snippets))

    @property
    def current(self) -> str:
        return self.tokens[self.cursor].text if self.cursor < len(self.tokens) else ""

    def advance(self) -> bool:
        if self.cursor >= len(self.tokens) - 1:
            return False
        self.cursor += 1
        return True

    def is_new_line(self) -> bool:
        if self.cursor < 1:
            return True
        if self.cursor >= len(self.tokens):
            return False
        return self.tokens[self.cursor].begins_line_after(self.tokens[self.cursor - 1])

    def build_error(self, reason: str) -> FormatError:
        line = self.tokens[min(self.cursor, len(self.tokens) - 1)].line if self.tokens else 1
        return FormatError(line, reason)

    def parse_keys(self) -> tuple[tuple[Token, ...], bool]:
        """Return the keys of a block, and whether the file ends with them."""
        keys: list[Token] = []
        more = False
        while True:
            text = self.current
            if text == "import" and self.is_new_line():
                self.splice_import()
                continue
            if text == "{":
                if more:
                    raise self.build_error("expected another zone after the comma")
                return tuple(keys), False
            if text:
                more = text.endswith(",")
                token = self.tokens[self.cursor]
                keys.append(replace(token, text=text[:-1], end=token.end - 1) if more else token)
            if not self.advance():
                if more:
                    raise self.build_error("the file ends after a comma")
                return tuple(keys), True
            if not more and self.is_new_line():
                return tuple(keys), False

    def parse_contents(self, keys: tuple[Token, ...]) -> ServerBlock:
        opening = self.tokens[self.cursor] if self.current == "{" else None
        if opening is None:
            self.cursor -= 1
        directives: list[Directive] = []
        while self.advance() and self.current != "}":
            if self.current == "import":
                self.splice_import()
                self.cursor -= 1
            else:
                directives.append(self.parse_directive())
        closing = self.tokens[self.cursor] if self.current == "}" else None
        if opening and closing is None:
            raise self.build_error("the block that begins before this line has no closing '}'")
        return ServerBlock(keys=keys, directives=tuple(directives), opening=opening, closing=closing)

    def parse_directive(self) -> Directive:
        found = [self.tokens[self.cursor]]
        nesting = 0
        while self.advance():
            text = self.current
            if text == "{":
                nesting += 1
            elif self.is_new_line() and not nesting:
                self.cursor -= 1
                break
            elif text == "}":
                if not nesting:
                    raise self.build_error("'}' without an opening '{'")
                nesting -= 1
            elif text == "import" and self.is_new_line():
                self.splice_import()
                self.cursor -= 1
                continue
            found.append(self.tokens[self.cursor])
        if nesting:
            raise self.build_error(f"the body of '{found[0].text}' has no closing '}}'")
        return Directive(tokens=tuple(found))

    def define_snippet(self, key: Token) -> None:
        name = key.text[1:].removesuffix(")")
        if name in self.snippets:
            raise self.build_error(f"the snippet '{name}' is defined twice")
        if self.current != "{":
            raise self.build_error(f"expected '{{' after the snippet '{name}'")
        tokens: list[Token] = []
        nesting = 1
        while self.advance():
            nesting += {"{": 1, "}": -1}.get(self.current, 0)
            if not nesting:
                self.snippets[name] = tokens
                return
            tokens.append(replace(self.tokens[self.cursor], snippet=name))
        raise self.build_error(f"the snippet '{name}' has no closing '}}'")

    def splice_import(self) -> None:
        """Replace the import at the cursor; the cursor is then at the first imported word, if there is one."""
        at = self.cursor
        if at + 1 >= len(self.tokens) or not self.tokens[at + 1].continues(self.tokens[at]):
            raise self.build_error("import without a file")
        keyword, argument = self.tokens[at : at + 2]
        if not argument.text:
            raise self.build_error("import without a file")
        if at + 2 < len(self.tokens) and self.tokens[at + 2].continues(argument):
            raise self.build_error("import takes one file only")
        if len(self.imports) >= _MOST_IMPORTS:
            raise self.build_error("too many imports: the snippet or file may import itself")
        if argument.text in self.snippets:
            found = self.snippets[argument.text]
            self.imports.append(Import(token=keyword, pattern=argument.text, is_snippet=True))
        else:
            found = self.read_files(keyword, argument)
        self.tokens[at : at + 2] = found

    def read_files(self, keyword: Token, argument: Token) -> list[Token]:
        path = resolve_pattern(argument.text, keyword.file, keyword.line)
        files = match_files(path, self.files)
        unseen = not files and not is_pattern(path)
        self.imports.append(Import(token=keyword, pattern=path, files=files, unseen=unseen))
        return [token for file in files for token in split_tokens(self.files[file], file)]

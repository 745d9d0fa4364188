"""A parsed Corefile: server blocks, their directives, and what was imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.corefile.lexer import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import directive: the snippet's name, or the absolute path or pattern, and the files that were read for it.

    `unseen` if it names a file that is not known here: CoreDNS does not start if it is missing.
    """

    token: Token
    pattern: str
    files: tuple[str, ...] = ()
    is_snippet: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The words of one line in the body of a directive."""

    tokens: tuple[Token, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What the words mean."""
        return tuple(token.text for token in self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A directive of a server block with all of its words; `tokens[0]` is its name."""

    tokens: tuple[Token, ...]

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.tokens[0].text

    @property
    def arguments(self) -> tuple[Token, ...]:
        """The words on the directive's first line, up to its opening brace."""
        return next(iter(self._split_lines(0)))[1:]

    @property
    def opening(self) -> Token | None:
        """The opening brace of the body; None without a body."""
        index = 1 + len(self.arguments)
        return self.tokens[index] if index < len(self.tokens) and self.tokens[index].text == "{" else None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of the body, as a plugin's setup reads them; nested braces are words of their line."""
        index = 2 + len(self.arguments)
        return tuple(Line(tokens=line) for line in self._split_lines(index) if line)

    @property
    def closing(self) -> Token | None:
        """The closing brace of the body; None without a body."""
        return self.tokens[-1] if self.opening and self.tokens[-1].text == "}" else None

    def _split_lines(self, index: int) -> Iterator[tuple[Token, ...]]:
        line: list[Token] = []
        is_body = index > 0
        for token in self.tokens[index:]:
            if line and not token.continues(line[-1]):
                yield tuple(line)
                line = []
            if (token.text == "{" and not is_body) or (token is self.tokens[-1] and token.text == "}" and is_body):
                break
            line.append(token)
        yield tuple(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBlock:
    """A server block: `keys` are its zones as written; `opening` is None if the block has no braces.

    `closing` is the brace that ends it; a block without braces extends to the end of the file.
    """

    keys: tuple[Token, ...]
    directives: tuple[Directive, ...] = ()
    imports: tuple[Import, ...] = ()
    opening: Token | None = None
    closing: Token | None = None

    def find(self, *names: str) -> tuple[Directive, ...]:
        """Return the directives with one of these names."""
        return tuple(directive for directive in self.directives if directive.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corefile:
    """A parsed Corefile. `imports` are those outside blocks, `snippets` the names of the snippets it defines."""

    blocks: tuple[ServerBlock, ...] = ()
    imports: tuple[Import, ...] = ()
    snippets: tuple[str, ...] = ()

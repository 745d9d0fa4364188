"""One text with named values, in English and in another language."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A template that says less than this could be any text, such as "{name}: {reason}".
_FEWEST_LETTERS = 4
_WORD = "word"


class Template:
    """An English text and its translation; both name their values in braces.

    Values without text between them are one value in a finished text, named "a b", and are together in the
    translation too. `{name:word}` in a translation is a value that is a word of the catalogue.
    """

    __slots__ = ("_names", "_pattern", "_source", "_target", "is_distinctive", "literal_length")

    def __init__(self, source: str, target: str) -> None:
        """Take both texts. Raises ValueError for braces that are not closed."""
        self._source = list(_split(source))
        self._target = list(_split(target))
        literal = "".join(text for text, _, _ in self._source)
        self.literal_length = len(literal)
        self.is_distinctive = self.has_values and sum(map(str.isalpha, literal)) >= _FEWEST_LETTERS
        self._pattern: re.Pattern[str] | None = None
        self._names: list[str] = []

    @property
    def has_values(self) -> bool:
        """Whether the English text has values."""
        return any(name for _, name, _ in self._source)

    @property
    def source_text(self) -> str:
        """The English text of a template without values."""
        return "".join(text for text, _, _ in self._source)

    @property
    def target_text(self) -> str:
        """The translation of a template without values."""
        return "".join(text for text, _, _ in self._target)

    def match(self, text: str) -> dict[str, str] | None:
        """Return the values in a finished text, None if it is not of this template."""
        if any(literal not in text for literal, _, _ in self._source) or not text.startswith(self._source[0][0]):
            return None
        if self._pattern is None:
            self._pattern, self._names = self._compile()
        found = self._pattern.fullmatch(text)
        return dict(zip(self._names, found.groups(), strict=True)) if found else None

    def fill(self, values: Mapping[str, str], clause: Callable[[str], str], word: Callable[[str], str]) -> str:
        """Return the translation with the values in it; `clause` and `word` translate them."""
        pieces: list[str] = []
        for text, name, spec in self._target:
            pieces.append(text)
            if name:
                pieces.append(word(values[name]) if spec == _WORD else clause(values[name]))
        return "".join(pieces)

    def _compile(self) -> tuple[re.Pattern[str], list[str]]:
        pattern, names = "", []
        for text, name, _ in self._source:
            pattern += re.escape(text)
            if name:
                pattern += "(.*?)"
                names.append(name)
        has_lines = any("\n" in text for text, _, _ in self._source)
        return re.compile(pattern, re.DOTALL if has_lines else 0), names


def _split(template: str) -> Iterator[tuple[str, str, str]]:
    """Yield text, the name of the value after it ("" at the end) and its format; neighbours are one value."""
    text, names, spec = "", "", ""
    for literal, name, form, _ in Formatter().parse(template):
        if literal and names:
            yield text, names, spec
            text, names, spec = "", "", ""
        text += literal
        if name is not None:
            names = f"{names} {name}".strip()
            spec = form or ""
    yield text, names, spec

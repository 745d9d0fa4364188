"""One text with named values, in English and in another language."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A template that says less than this could be any text, such as "{name}: {reason}".
_FEWEST_LETTERS = 3
_WORD = "word"
# Values that are numbers, and endings of words; any other value is any text in one line.
_PATTERNS = {"count": r"(\d+)", "line": r"(\d+)", "plural": "([a-z]{0,4})"}
_ANY = "(.*?)"


class Template:
    """An English text and its translation; both name their values in braces.

    Values without text between them are one value in a finished text, named "a b", and are together in the
    translation too. `{name:word}` in a translation is a value that is a text of the catalogue, maybe a single word;
    with another value it is not this template. `{count}` and `{line}` are numbers, `{plural}` is the ending of a word.
    """

    __slots__ = ("_longest", "_names", "_pattern", "_source", "_target", "is_distinctive", "literal_length", "words")

    def __init__(self, source: str, target: str) -> None:
        """Take both texts. Raises ValueError for braces that are not closed."""
        self._source = list(_split(source))
        self._target = list(_split(target))
        literal = "".join(text for text, _, _ in self._source)
        self._longest = max((text for text, _, _ in self._source), key=len)
        self.literal_length = len(literal)
        self.words = [name for _, name, spec in self._target if spec == _WORD]
        letters = sum(map(str.isalpha, literal)) + literal[:1].isalpha()  # a text that begins with a word is surer
        self.is_distinctive = self.has_values and (letters >= _FEWEST_LETTERS or bool(self.words))
        self._pattern: re.Pattern[str] | None = None
        self._names: list[str] = []

    @property
    def values(self) -> tuple[set[str], set[str]]:
        """The names of the values of the English text, and those of the translation."""
        return {name for _, name, _ in self._source if name}, {name for _, name, _ in self._target if name}

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
        if self._longest not in text or not text.startswith(self._source[0][0]):
            return None
        if self._pattern is None:
            self._pattern, self._names = self._compile()
        found = self._pattern.fullmatch(text)
        return dict(zip(self._names, found.groups(), strict=True)) if found else None

    def fill(self, values: Mapping[str, str], clause: Callable[[str], str], texts: Mapping[str, str]) -> str:
        """Return the translation with values; `clause` translates them, `texts` those that are words."""
        pieces: list[str] = []
        for text, name, spec in self._target:
            pieces.append(text)
            if name:
                pieces.append(texts[values[name]] if spec == _WORD else clause(values[name]))
        return "".join(pieces)

    def _compile(self) -> tuple[re.Pattern[str], list[str]]:
        pattern, names = "", []
        for text, name, _ in self._source:
            pattern += re.escape(text)
            if name:
                pattern += _PATTERNS.get(name.rpartition("_")[0] or name, _ANY)
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

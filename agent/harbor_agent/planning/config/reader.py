"""A document read value by value, each with the place it was written at, so that every complaint can name it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from harbor_agent.errors import UsageError

Key = str | int
Place = tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value was written: `name` of the file or host, and the line of each place in it (from 1)."""

    name: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def at(self, place: Place) -> str:
        """Return "name:line" of the nearest known place, or the name alone."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return f"{self.name}:{self.lines[place[:length]]}"
        return self.name


class Reader:
    """A value with the place it was written at, so that every complaint can name it."""

    def __init__(self, source: Source, place: Place, value: object) -> None:
        """Hold `value`, which stands at `place` of `source`; None where nothing was written."""
        self.source, self.place, self.value = source, place, value

    def child(self, key: Key) -> Reader:
        """Return what stands under `key`."""
        value = self.value
        inner = value.get(key) if isinstance(value, Mapping) else None
        return Reader(self.source, (*self.place, key), inner)

    def items(self) -> list[Reader]:
        """Return the values of a list (absent counts as empty). Raises UsageError where it is none."""
        if self.value is None:
            return []
        if not isinstance(self.value, list | tuple):
            raise self.error("a list was expected")
        return [Reader(self.source, (*self.place, index), item) for index, item in enumerate(self.value)]

    def mapping(self, *known: str) -> Reader:
        """Return this, a mapping with `known` keys only (absent counts as empty). Raises UsageError."""
        if self.value is None:
            return self
        if not isinstance(self.value, Mapping):
            raise self.error(f"a mapping with {', '.join(known)} was expected")
        for key in self.value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
                raise Reader(self.source, (*self.place, key), None).error(f"unknown key '{key}'", hint)
        return self

    def text(self) -> str | None:
        """Return the text; None where nothing was written. Raises UsageError where it is empty or no text."""
        if self.value is None:
            return None
        if not isinstance(self.value, str) or not self.value:
            raise self.error(f"'{self.name}' must be text")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return the texts of a list, or the one that stands in its place. Raises UsageError."""
        if isinstance(self.value, str):
            return (self.value,)
        return tuple(text for item in self.items() if (text := item.text()) is not None)

    def choice(self, *allowed: str) -> str | None:
        """Return the text, which is one of `allowed`. Raises UsageError where it is another one."""
        text = self.text()
        if text is not None and text not in allowed:
            raise self.error(f"'{self.name}' is '{text}'", f"one of: {', '.join(allowed)}")
        return text

    @property
    def name(self) -> Key:
        """The last part of the place."""
        return self.place[-1] if self.place else "document"

    def error(self, message: str, hint: str = "") -> UsageError:
        """Return an error that names the place."""
        return UsageError.of("configuration-invalid", f"{self.source.at(self.place)}: {message}", hint)

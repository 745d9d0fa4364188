"""Reads a parsed document value by value and remembers where each was written, so that errors name the place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from harbor_agent.errors import UsageError

Key = str | int
Place = tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The origin of a document: `name` of the file or host, and the line of each place in it (from 1)."""

    name: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def locate(self, place: Place) -> str:
        """Return "name:line" of the nearest known place, or the name alone."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return f"{self.name}:{self.lines[place[:length]]}"
        return self.name


class Reader:
    """A value and the place where it was written."""

    def __init__(self, source: Source, place: Place, value: object) -> None:
        """Hold `value`, written at `place` of `source`; None if it was not written."""
        self.source, self.place, self.value = source, place, value

    def child(self, key: Key) -> Reader:
        """Return the value under `key`."""
        value = self.value
        inner = value.get(key) if isinstance(value, Mapping) else None
        return Reader(self.source, (*self.place, key), inner)

    def read_list(self) -> list[Reader]:
        """Return the values of a list; no value counts as an empty list. Raises UsageError for anything else."""
        if self.value is None:
            return []
        if not isinstance(self.value, list | tuple):
            raise self.build_error("expected a list")
        return [Reader(self.source, (*self.place, index), item) for index, item in enumerate(self.value)]

    def require_mapping(self, *known: str) -> Reader:
        """Return this reader; no value counts as an empty mapping.

        Raises UsageError for anything but a mapping, and for a key that is not `known`, with a suggestion.
        """
        if self.value is None:
            return self
        if not isinstance(self.value, Mapping):
            raise self.build_error(f"expected a mapping with {', '.join(known)}")
        for key in self.value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
                raise Reader(self.source, (*self.place, key), None).build_error(f"unknown key '{key}'", hint)
        return self

    def read_text(self) -> str | None:
        """Return the text, or None if nothing was written. Raises UsageError if it is empty or not text."""
        if self.value is None:
            return None
        if not isinstance(self.value, str) or not self.value:
            raise self.build_error(f"'{self.name}' must be text")
        return self.value

    def read_texts(self) -> tuple[str, ...]:
        """Return the texts of a list; a single text counts as a list of one. Raises UsageError."""
        if isinstance(self.value, str):
            return (self.value,)
        return tuple(text for item in self.read_list() if (text := item.read_text()) is not None)

    def read_choice(self, *allowed: str) -> str | None:
        """Return the text, or None if nothing was written. Raises UsageError if it is not one of `allowed`."""
        text = self.read_text()
        if text is not None and text not in allowed:
            raise self.build_error(f"invalid {self.name}: '{text}'", f"use one of: {', '.join(allowed)}")
        return text

    @property
    def name(self) -> Key:
        """The last part of the place."""
        return self.place[-1] if self.place else "document"

    def build_error(self, message: str, hint: str = "") -> UsageError:
        """Return an error whose message starts with the place."""
        return UsageError.of("configuration-invalid", f"{self.source.locate(self.place)}: {message}", hint)

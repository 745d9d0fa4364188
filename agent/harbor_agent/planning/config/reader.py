"""Reads a parsed document value by value and remembers where each was written, so that errors name the place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = str | int
Place = tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The origin of a document: `name` of the file or host, and the line of each place in it (from 1)."""

    name: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def find_line(self, place: Place) -> int | None:
        """Return the line of the nearest known place, None if none is known."""
        known = (place[:length] for length in range(len(place), -1, -1))
        return next((self.lines[one] for one in known if one in self.lines), None)

    def build_error(self, place: Place, problem: Problem) -> SettingError:
        """Return the error at `place`: the message of `problem` after "name:line", or after the name alone."""
        line = self.find_line(place)
        where = self.name if line is None else f"{self.name}:{line}"
        error = SettingError(replace(problem, message=f"{where}: {problem.message}"))
        error.line = line
        return error


class SettingError(UsageError):
    """A setting is wrong; `line` is where it was written, None if that is not known."""

    line: int | None = None


class Reader:
    """A value and the place where it was written.

    `errors` are those of the whole document that were collected, in the order in which they were found.
    """

    def __init__(self, source: Source, place: Place, value: object, errors: list[SettingError] | None = None) -> None:
        """Hold `value`, written at `place` of `source`; None if it was not written."""
        self.source, self.place, self.value = source, place, value
        self.errors: list[SettingError] = [] if errors is None else errors

    def child(self, key: Key) -> Reader:
        """Return the value under `key`."""
        value = self.value
        inner = value.get(key) if isinstance(value, Mapping) else None
        return Reader(self.source, (*self.place, key), inner, self.errors)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep an error of the block in `errors`, and continue after the block."""
        try:
            yield
        except SettingError as error:
            self.errors.append(error)

    def read_list(self) -> list[Reader]:
        """Return the values of a list; no value counts as an empty list. Raises SettingError for anything else."""
        if self.value is None:
            return []
        if not isinstance(self.value, list | tuple):
            raise self.build_error("expected a list")
        return [Reader(self.source, (*self.place, index), item, self.errors) for index, item in enumerate(self.value)]

    def require_mapping(self, *known: str) -> Reader:
        """Return this reader; no value counts as an empty mapping.

        Raises SettingError for anything but a mapping; a key that is not `known` is an error, with a suggestion.
        """
        if self.value is None:
            return self
        if not isinstance(self.value, Mapping):
            raise self.build_error(f"expected a mapping with {', '.join(known)}")
        for key in self.value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
                self.errors.append(self.child(key).build_error(f"unknown key '{key}'", hint))
        return self

    def read_text(self) -> str | None:
        """Return the text, or None if nothing was written. Raises SettingError if it is empty or not text."""
        if self.value is None:
            return None
        if not isinstance(self.value, str) or not self.value:
            raise self.build_error(f"'{self.name}' must be text")
        return self.value

    def read_texts(self) -> tuple[str, ...]:
        """Return the texts of a list; a single text counts as a list of one. Raises SettingError."""
        items = [self] if isinstance(self.value, str) else self.read_list()
        return tuple(text for item in items if (text := item.read_text()) is not None)

    def read_choice(self, *allowed: str) -> str | None:
        """Return the text, or None if nothing was written. Raises SettingError if it is not one of `allowed`."""
        text = self.read_text()
        if text is not None and text not in allowed:
            raise self.build_error(f"invalid {self.name}: '{text}'", f"use one of: {', '.join(allowed)}")
        return text

    @property
    def name(self) -> Key:
        """The last part of the place."""
        return self.place[-1] if self.place else "document"

    def build_error(self, message: str, hint: str = "") -> SettingError:
        """Return an error whose message starts with the place."""
        return self.source.build_error(self.place, Problem(code="configuration-invalid", message=message, hint=hint))

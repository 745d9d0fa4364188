"""A value that must never be printed."""

from __future__ import annotations


class Sensitive:
    """Text whose every representation is `***`; only `reveal()` returns it.

    Equality compares the text; it cannot be pickled, so that no traceback helper or cache stores it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hold `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that must have it."""
        return self._text

    def __repr__(self) -> str:
        """Return a mask."""
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Return a mask, padded as asked."""
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        """Compare the hidden text."""
        return isinstance(other, Sensitive) and other._text == self._text

    def __hash__(self) -> int:
        """Hash the hidden text."""
        return hash(self._text)

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a sensitive value is not pickled")

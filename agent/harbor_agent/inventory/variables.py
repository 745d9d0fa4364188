"""The variables of one host, and how their values are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})


class Variables(Protocol):
    """The variables of one host, with templates evaluated on demand."""

    @property
    def names(self) -> Iterable[str]:
        """The names of all variables."""
        ...

    def raw_value(self, name: str) -> object:
        """Return the value with its templates not evaluated."""
        ...

    def values(self, names: Collection[str], *, secret: Collection[str] = ()) -> dict[str, object]:
        """Return the values of those `names` that are set. Raises UsageError."""
        ...


def read_text(variables: Mapping[str, object], names: Sequence[str]) -> str | None:
    """Return the value of the last of `names` that is set and not empty."""
    values = [variables[name] for name in names if variables.get(name) not in (None, "")]
    return str(values[-1]) if values else None


def is_true(value: object) -> bool:
    """Whether a value is one of Ansible's words for true."""
    return str(value).lower() in _TRUE

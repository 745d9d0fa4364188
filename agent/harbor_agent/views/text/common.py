"""Pieces that several texts share: lists of names, numbers of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.choice import CHINESE
from harbor_agent.language.current import get_language, translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Up to so many nodes with the same text get a block each; more share one.
FEW = 3
_NAMED_TOGETHER = 8


def list_names(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = len(names) - _NAMED_TOGETHER
    return ", ".join(names[:_NAMED_TOGETHER]) + (f" and {more} more (all with -o json)" if more > 0 else "")


def join_clauses(clauses: Iterable[str]) -> str:
    """Return clauses in the language of the process, with its commas."""
    return get_comma().join(map(translate, clauses))


def get_comma() -> str:
    """Return what is between clauses in the language of the process."""
    return "，" if get_language() == CHINESE else ", "


def name_clauses(name: str, clauses: Iterable[str]) -> str:
    """Return a name and its clauses in the language of the process, with its colon and commas."""
    return f"{translate(name)}{'：' if get_language() == CHINESE else ': '}{join_clauses(clauses)}"


def count_nodes(count: int) -> str:
    """Return the number with its noun."""
    return f"{count} node{'s' if count != 1 else ''}"

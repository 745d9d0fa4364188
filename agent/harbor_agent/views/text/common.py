"""Pieces that several texts share: tables, lists of names, numbers of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.text.cells import fill_cell, measure_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Up to so many nodes with the same text get a block each; more share one.
FEW = 3
_NAMED_TOGETHER = 8


def list_names(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = len(names) - _NAMED_TOGETHER
    return ", ".join(names[:_NAMED_TOGETHER]) + (f" and {more} more (all with -o json)" if more > 0 else "")


def format_table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows with aligned columns, two blanks between them."""
    widths = [max(map(measure_text, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(fill_cell, row, widths)).rstrip() for row in rows]


def count_nodes(count: int) -> str:
    """Return the number with its noun."""
    return f"{count} node{'s' if count != 1 else ''}"

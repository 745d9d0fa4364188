"""Tables, which a narrow terminal shows with fewer columns and shorter texts instead of broken lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.views.text.common import join_clauses
from harbor_agent.views.text.layout.cells import fill_cell, measure_text, wrap_text
from harbor_agent.views.text.style import style

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with its title.

    If there is no room for all columns, that with the lowest `rank` is left out first, and one of rank 0 never. The
    texts of a column may be shortened to `least` columns of the terminal; 0: they are not.
    """

    title: str
    rank: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts in the language of the process, one for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def render(self, width: int | None = None) -> list[str]:
        """Return the lines of the table: the titles, the rows, and what was left out to fit into `width` columns."""
        titles = tuple(translate(column.title) for column in self.columns)
        cells = (titles, *self.rows)
        natural = [max(map(measure_text, column)) for column in zip(*cells, strict=True)]
        widths = dict(enumerate(natural)) if width is None else self._fit(natural, titles, width)
        lines = [
            _GAP.join(fill_cell(_shorten(row[index], size), size) for index, size in widths.items()).rstrip()
            for row in cells
        ]
        left_out = [title for index, title in enumerate(titles) if index not in widths]
        is_shortened = any(size < natural[index] for index, size in widths.items())
        return [style(lines[0], bold=True), *lines[1:], *_describe_lack(left_out, is_shortened=is_shortened)]

    def _fit(self, natural: Sequence[int], titles: Sequence[str], width: int) -> dict[int, int]:
        """Return the widths of the columns that are shown, by their index."""
        widths = {
            index: min(natural[index], max(column.least, measure_text(titles[index]))) if column.least else size
            for (index, column), size in zip(enumerate(self.columns), natural, strict=True)
        }
        by_rank = sorted((index for index, column in enumerate(self.columns) if column.rank), key=self._find_rank)
        while by_rank and _count_columns(widths) > width:
            del widths[by_rank.pop(0)]
        for index in reversed(by_rank):
            widths[index] += max(0, min(natural[index] - widths[index], width - _count_columns(widths)))
        return widths

    def _find_rank(self, index: int) -> int:
        return self.columns[index].rank


def _count_columns(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _shorten(text: str, width: int) -> str:
    """Return as many words as fit, with an ellipsis for the others."""
    if measure_text(text) <= width:
        return text
    first = wrap_text(text, width - 1)[0]
    return f"{first}{_ELLIPSIS}" if measure_text(first) < width else _ELLIPSIS


def _describe_lack(left_out: Sequence[str], *, is_shortened: bool) -> list[str]:
    if left_out:
        return [translate(f"left out here: {join_clauses(left_out)}; all of it: -o json")]
    return [translate("shortened here; all of it: -o json")] if is_shortened else []

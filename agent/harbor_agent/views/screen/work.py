"""The nodes that are at work, as lines below a run's output: the node, its step, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.views.text.layout.cells import cut_text, fill_cell, measure_text
from harbor_agent.views.text.style import style

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ROWS = 12
_LEAST_ROWS = 3
_GAP = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A node, its step in words, and the seconds since the step began."""

    node: str
    step: str
    seconds: float


def draw_work(title: str, work: Sequence[Work], columns: int, rows: int) -> list[str]:
    """Return a title and a line for each node, the one that has worked longest first, for a terminal of this size.

    If there are too many nodes, the last line counts the others.
    """
    width = columns - 1
    ordered = sorted(work, key=lambda one: -one.seconds)
    shown = ordered[: max(_LEAST_ROWS, min(_MOST_ROWS, rows // 2 - 2))]
    lines = [style(cut_text(title, width), bold=True)]
    step_width = max((measure_text(one.step) for one in shown), default=0)
    times = [format_time(one.seconds) for one in shown]
    time_width = max(map(len, times), default=0)
    most = max(width - step_width - time_width - 3 * len(_GAP), 1)
    name_width = min(most, max((measure_text(one.node) for one in shown), default=0))
    for one, seconds in zip(shown, times, strict=True):
        cells = (fill_cell(cut_text(one.node, name_width), name_width), fill_cell(one.step, step_width))
        lines.append(cut_text(_GAP + _GAP.join((*cells, seconds.rjust(time_width))), width))
    more = len(ordered) - len(shown)
    return [*lines, f"{_GAP}and {more} more at work"] if more else lines


def format_time(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"

"""The table of `make field`: each case that was found in the field, what its tests hold, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

_RESULTS = ("failed", "skipped", "passed")


@dataclass(slots=True)
class _Row:
    """One test of a case, over all its parameters."""

    case: str
    what: str
    results: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """The result, the worst first; with several parameters, how many have it."""
        counts = {result: self.results.count(result) for result in _RESULTS if result in self.results}
        if len(self.results) == 1:
            return self.results[0]
        return ", ".join(f"{count} {result}" for result, count in counts.items())


def note_case(item: pytest.Item) -> None:
    """Keep the cases that a test rebuilds with its reports."""
    for marker in item.iter_markers("field"):
        item.user_properties.extend(("field", str(case)) for case in marker.args)


def build_table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return the lines of the table, by case; none if no report is of a case."""
    rows: dict[tuple[str, str], _Row] = {}
    for report in reports:
        if report.when != "call" and report.passed:
            continue
        path, _, name = report.nodeid.partition("::")
        what = f"{name.partition('[')[0].removeprefix('test_').replace('_', ' ')} ({path})"
        for case in (str(value) for key, value in report.user_properties if key == "field"):
            rows.setdefault((case, what), _Row(case=case, what=what)).results.append(report.outcome)
    lines = [("case", "result", "what"), *((row.case, row.result, row.what) for _, row in sorted(rows.items()))]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    table = [f"{case.ljust(widths[0])}  {result.ljust(widths[1])}  {what}" for case, result, what in lines]
    return table if rows else []

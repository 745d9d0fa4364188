"""The outline of a command that ended early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.outline.value import Item, Kind, Outline, Verdict

if TYPE_CHECKING:
    from harbor_agent.errors import ExitCode, Problem


def outline_error(problem: Problem, exit_code: ExitCode) -> Outline:
    """Return the outline with the problem as its only item."""
    item = Item(name="harbor-agent", kind=Kind.COMMAND, verdict=Verdict.ERROR, status="ended early", problem=problem)
    return Outline(
        command="error", summary=f"Ended early with exit code {int(exit_code)}", items=(item,), exit_code=int(exit_code)
    )

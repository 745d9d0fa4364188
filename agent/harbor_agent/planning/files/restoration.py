"""Earlier contents of files as changes of a plan: what every rollback does, for each runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.plan import FileChange
from harbor_agent.model.state import FileState
from harbor_agent.planning.files.workspace import require_writable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.state import NodeState


def list_restorations(state: NodeState, earlier: Sequence[FileState], reason: str) -> tuple[FileChange, ...]:
    """Return the changes back to `earlier` files, given in the order in which they were changed, in reverse.

    Files that are as they were are left out. Raises RefusedError for a path that cannot be written.
    """
    changes = []
    for file in reversed(earlier):
        now = state.files.get(file.path) or FileState(path=file.path)
        if now != file:
            require_writable(now)
            changes.append(FileChange(before=now, after=file, reason=reason))
    return tuple(changes)


def apply_changes(state: NodeState, changes: Iterable[FileChange]) -> NodeState:
    """Return the node with the changed files."""
    return replace(state, files={**state.files, **{change.path: change.after for change in changes}})

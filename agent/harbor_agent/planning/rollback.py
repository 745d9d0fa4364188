"""Whether the files of a run can be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.state import FileState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.snapshot import SavedFile
    from harbor_agent.model.state import NodeState


def find_objection_to_rollback(state: NodeState, files: Sequence[SavedFile]) -> Problem | None:
    """Return why these files must not be restored: one is neither the file that the run wrote nor the one before it."""
    for file in files:
        now = state.files.get(file.path) or FileState(path=file.path)
        if now != file.state and now.fingerprint != file.written:
            return Problem(
                code="rollback-edited",
                message=f"{file.path} was changed again after the run to roll back",
                hint="roll back the later run first, or use --pristine, or edit the file by hand",
            )
    return None

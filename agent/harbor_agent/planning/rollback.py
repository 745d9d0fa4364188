"""Whether the files of a run can be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.state import FileState
from harbor_agent.planning.drift import hash_content
from harbor_agent.planning.files.managed import is_rendered
from harbor_agent.planning.names.hosts_file import PATH as HOSTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.snapshot import SavedFile
    from harbor_agent.model.state import NodeState


def find_objection_to_rollback(
    state: NodeState, files: Sequence[SavedFile], recorded: Mapping[str, str]
) -> Problem | None:
    """Return why these files must not be restored: one is neither the file that the run wrote nor the one before it.

    A file that k3s or RKE2 has written again from their settings since is no objection.
    `recorded` are the digests (`hash_content`) that the run left in the record: they leave out lines of others.
    """
    for file in files:
        now = state.files.get(file.path) or FileState(path=file.path)
        is_ours = now.fingerprint == file.written or (file.path == HOSTS and hash_content(now) == recorded.get(HOSTS))
        if now != file.state and not is_ours and not is_rendered(now.content or b""):
            return Problem(
                code="rollback-edited",
                message=f"{file.path} was changed again after the run to roll back",
                hint="roll back the later run first, or use --pristine, or edit the file by hand",
            )
    return None

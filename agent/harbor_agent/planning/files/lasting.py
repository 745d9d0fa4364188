"""Changes that do not last: files in directories that a reboot empties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harbor_agent.model.plan import FileChange

_HINT = "put the setting into the image or the boot configuration that this node starts from, too"


def find_volatile_changes(changes: Iterable[FileChange], volatile: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the changes below `volatile` directories, which are given with the reason."""
    for change in changes:
        above = [directory for directory in volatile if change.path.startswith(f"{directory}/")]
        if above:
            directory = max(above, key=len)
            message = f"{change.path} does not outlast a reboot: {directory} is on {volatile[directory]}"
            yield Problem(code="file-volatile", message=message, hint=_HINT)

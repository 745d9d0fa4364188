"""File system trees of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.state import FileKind, FileState

if TYPE_CHECKING:
    from collections.abc import Mapping


class Files:
    """A tree in memory."""

    def __init__(self, contents: Mapping[str, str | bytes]) -> None:
        self.contents = contents

    def state(self, path: str) -> FileState:
        content = self.contents.get(path)
        if content is None:
            return FileState(path=path)
        data = content.encode() if isinstance(content, str) else content
        return FileState(path=path, kind=FileKind.REGULAR, content=data, mode=0o644)

    def names(self, directory: str) -> list[str]:
        below = [path.removeprefix(f"{directory}/") for path in self.contents if path.startswith(f"{directory}/")]
        return sorted({path.partition("/")[0] for path in below})

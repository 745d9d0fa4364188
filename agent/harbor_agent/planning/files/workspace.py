"""A copy of the node's files on which edits are tried; they become `FileChange`s."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.text import encode
from harbor_agent.model.plan import FileChange
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.files.render import Templates

_NEW_FILE_MODE = 0o644
# Far more than any unit, environment file or daemon.json needs; larger ones take seconds to parse.
LARGEST_FILE = 1 << 17
_LOOK_AT_IT = "find out what wrote it, and restore the right content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The node after the edits so far; `reasons` says why each path was edited."""

    original: NodeState
    state: NodeState
    templates: Templates
    reasons: Mapping[str, str] = field(default_factory=dict)

    def file(self, path: str) -> FileState:
        """Return the file at the path, absent if the path was not read."""
        return self.state.files.get(path) or FileState(path=path)

    def write(self, path: str, text: str, reason: str, *, mode: int | None = None) -> Workspace:
        """Return the workspace with the file's content replaced; a new file is root:root.

        Owner and mode stay as they are, those of a new file are 0644; `mode` replaces the mode of both.

        Raises RefusedError for a path that is neither a regular file nor absent.
        """
        before = self.file(path)
        require_writable(before)
        if before.kind is FileKind.ABSENT:
            after = FileState(path=path, kind=FileKind.REGULAR, content=encode(text), mode=mode or _NEW_FILE_MODE)
        else:
            after = replace(before, content=encode(text), mode=mode or before.mode)
        return self._replace_file(after, reason)

    def copy(self, source: FileState, path: str, reason: str) -> Workspace:
        """Return the workspace with a copy of a regular file at `path`, with its mode and owner."""
        require_writable(self.file(path))
        return self._replace_file(replace(source, path=path), reason)

    def delete(self, path: str, reason: str) -> Workspace:
        """Return the workspace without the file."""
        require_writable(self.file(path))
        return self._replace_file(FileState(path=path), reason)

    def changes(self) -> tuple[FileChange, ...]:
        """Return the differences from the original, in the order of the edits."""
        found = []
        for path, reason in self.reasons.items():
            before = self.original.files.get(path) or FileState(path=path)
            after = self.file(path)
            if before != after:
                found.append(FileChange(before=before, after=after, reason=reason))
        return tuple(found)

    def _replace_file(self, after: FileState, reason: str) -> Workspace:
        state = replace(self.state, files={**self.state.files, after.path: after})
        reasons = {**self.reasons, after.path: self.reasons.get(after.path, reason)}
        return replace(self, state=state, reasons=reasons)


def require_plain_paths(paths: Iterable[str]) -> None:
    """Raise RefusedError for a path that is not in its shortest form, which a transaction compares on the node."""
    for path in paths:
        if not path.startswith("/") or posixpath.normpath(path) != path or posixpath.dirname(path) == "/":
            raise RefusedError(
                "file-invalid",
                f"{path} is not the shortest absolute path of a file in a folder",
                "write the path in full, without '//', '.' and '..'",
            )


def require_writable(file: FileState) -> None:
    """Raise RefusedError unless the path is a regular file or absent."""
    match file.kind:
        case FileKind.SYMLINK:
            raise RefusedError(
                "file-symlinked",
                f"{file.path} is a symbolic link to {file.link_target}",
                "edit the target of the link by hand, or replace the link by a file",
            )
        case FileKind.DIRECTORY | FileKind.OTHER:
            raise RefusedError("file-not-regular", f"{file.path} is not a regular file", "move it away")
        case FileKind.UNREADABLE | FileKind.TOO_LARGE:
            raise _build_unread_refusal(file)
        case FileKind.REGULAR | FileKind.ABSENT:
            return


def read_content(file: FileState) -> bytes | None:
    """Return the content that a reader of the path sees, None if there is no file.

    Raises RefusedError if it is not known, or too large.
    """
    if file.kind is FileKind.ABSENT:
        return None
    if file.kind in (FileKind.UNREADABLE, FileKind.TOO_LARGE):
        raise _build_unread_refusal(file)
    if file.content is None and file.kind is FileKind.SYMLINK:
        message = f"{file.path} is a symbolic link to {file.link_target}, whose target is not a readable file"
        raise RefusedError("file-symlinked", message, "replace the link by a file")
    if file.content is None:
        raise RefusedError("file-not-regular", f"{file.path} is not a regular file", "move it away")
    if len(file.content) > LARGEST_FILE:
        message = f"{file.path} holds {len(file.content)} bytes, too many for a configuration file"
        raise RefusedError("file-too-large", message, _LOOK_AT_IT)
    return file.content


def _build_unread_refusal(file: FileState) -> RefusedError:
    if file.kind is FileKind.TOO_LARGE:
        message = f"{file.path} is larger than 1 MiB and was not read"
        return RefusedError("file-too-large", message, _LOOK_AT_IT)
    return RefusedError("file-unreadable", f"{file.path} cannot be read", "plan as root")

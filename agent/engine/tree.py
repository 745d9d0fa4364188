"""A file system tree without a running system (`--root DIR`): read and written without ever leaving DIR.

Links are resolved as the system in the tree would see them (an absolute link starts at DIR again), by walking
directory by directory with O_NOFOLLOW, so that no link leads out.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent.errors import AgentError, UsageError
from agent.model.state import FileKind, FileState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.model.plan import FileChange

_MOST_LINKS = 40
_LARGEST_FILE = 1 << 20


class Tree:
    """The files below one directory, by the absolute paths they have for the system in it."""

    def __init__(self, root: str) -> None:
        """Open `root`. Raises UsageError where it is no directory."""
        self.root = Path(root)
        if not self.root.is_dir():
            raise UsageError.of("root-missing", f"--root {root}: there is no such directory", "name an unpacked tree")

    def state(self, path: str) -> FileState:
        """Return what is at `path`; for a link also the content of the file that it leads to within the tree."""
        with self._parent(path) as (parent, name):
            if parent is None:
                return FileState(path=path)
            try:
                facts = os.lstat(name, dir_fd=parent)
            except FileNotFoundError:
                return FileState(path=path)
            link = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(facts.st_mode) else None
        return FileState(
            path=path,
            kind=_kind(facts.st_mode),
            content=self._content(path),
            mode=stat.S_IMODE(facts.st_mode),
            uid=facts.st_uid,
            gid=facts.st_gid,
            link_target=link,
        )

    def names(self, directory: str) -> list[str]:
        """Return the sorted names in `directory`, none where it is not there."""
        real = self._real(directory)
        if real is None:
            return []
        with self._parent(real) as (parent, name):
            try:
                handle = os.open(name or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            except OSError:
                return []
        try:
            return sorted(os.listdir(handle))  # noqa: PTH208 - pathlib cannot list a handle
        finally:
            os.close(handle)

    def write(self, change: FileChange) -> None:
        """Put `change.after` in place atomically. Raises AgentError where the file is no longer as planned."""
        current = self.state(change.path)
        if (current.kind, current.content) != (change.before.kind, change.before.content):
            message = f"{self.root}{change.path} is no longer as it was planned"
            raise AgentError.of("plan-stale", message, "plan again")
        if change.after.kind is FileKind.ABSENT:
            with self._parent(change.path) as (parent, name):
                os.unlink(name, dir_fd=parent)
            return
        self._make_directory(str(PurePosixPath(change.path).parent))
        with self._parent(change.path) as (parent, name):
            if parent is None:
                raise AgentError.of("root-unwritable", f"{self.root}{change.path} leads out of its folder", "")
            _replace(parent, name, change.after)

    def _make_directory(self, directory: str) -> None:
        if self._real(directory) is not None:
            return
        self._make_directory(str(PurePosixPath(directory).parent))
        with self._parent(directory) as (parent, name):
            os.mkdir(name, 0o755, dir_fd=parent)

    def _content(self, path: str) -> bytes | None:
        real = self._real(path)
        if real is None:
            return None
        with self._parent(real) as (parent, name):
            try:
                handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            except OSError:
                return None
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST_FILE:
            os.close(handle)
            return None
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def _real(self, path: str, links: int = 0) -> str | None:
        """Return `path` with every link resolved inside the tree; None where it leads nowhere or in circles."""
        done = PurePosixPath("/")
        parts = list(PurePosixPath(path).parts[1:])
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done.parent
                continue
            facts = self._lstat(done / part)
            if facts is None:
                return None
            if not stat.S_ISLNK(facts.st_mode):
                done /= part
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            target = PurePosixPath((self._inside(done / part)).readlink().as_posix())
            parts = [p for p in target.parts if p != "/"] + parts
            done = PurePosixPath("/") if target.is_absolute() else done
        return str(done)

    def _lstat(self, path: PurePosixPath) -> os.stat_result | None:
        try:
            return self._inside(path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _inside(self, path: PurePosixPath) -> Path:
        return self.root / path.relative_to("/")

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int | None, str]]:
        """Yield a handle of the real directory of `path` (None: not there) and the last name in it."""
        pure = PurePosixPath(path)
        directory = self._real(str(pure.parent))
        if directory is None:
            yield None, pure.name
            return
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in PurePosixPath(directory).parts[1:]:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle, pure.name
        finally:
            os.close(handle)


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.REGULAR
    if stat.S_ISLNK(mode):
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if stat.S_ISDIR(mode) else FileKind.OTHER


def _replace(parent: int, name: str, after: FileState) -> None:
    temporary = f".{name}.harbor-agent"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after.content or b"")
            file.flush()
            os.fchmod(handle, after.mode)
            if os.geteuid() == 0:
                os.fchown(handle, after.uid, after.gid)
            os.fsync(handle)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)

"""A file system tree without a running system (`--root DIR`), read and written without ever leaving DIR.

Links are resolved as the system in the tree would resolve them (an absolute link starts at DIR), directory by
directory with O_NOFOLLOW, so that no link leads out of the tree.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError, UsageError
from harbor_agent.local.files import build_temporary_prefix, replace_file
from harbor_agent.model.state import LARGEST_READ, FileKind, FileState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.plan import FileChange

_MAX_LINKS = 40
# An empty directory of a registry keeps containerd from looking into _default.
_HOSTS_FILE = "hosts.toml"


class Tree:
    """The files below one directory, by their absolute paths in the system in it.

    `closed` are the directories that this user was not permitted to list so far.
    """

    def __init__(self, root: str) -> None:
        """Open `root`. Raises UsageError if it is not a directory."""
        self.root = Path(root)
        if not self.root.is_dir():
            raise UsageError.of(
                "root-missing", f"--root {root}: no such directory", "give the path of an unpacked tree"
            )
        self.closed: list[str] = []

    def state(self, path: str) -> FileState:
        """Return the state of `path`; a link also has the content of its target, if that is in the tree."""
        try:
            with self._open_parent(path) as (parent, name):
                facts = os.lstat(name, dir_fd=parent)
                link = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(facts.st_mode) else None
            content = self._read_content(path)
        except (FileNotFoundError, NotADirectoryError):
            return FileState(path=path)
        except PermissionError:
            return FileState(path=path, kind=FileKind.UNREADABLE)
        return FileState(
            path=path,
            kind=_classify(facts, content),
            content=content,
            mode=stat.S_IMODE(facts.st_mode),
            uid=facts.st_uid,
            gid=facts.st_gid,
            link_target=link,
        )

    def names(self, directory: str) -> list[str]:
        """Return the sorted names in `directory`, none if it is absent or cannot be listed."""
        try:
            with self._open_directory(directory) as handle:
                return sorted(os.listdir(handle))  # noqa: PTH208 - pathlib cannot list a handle
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError:
            self.closed.append(directory)
            return []

    def write(self, change: FileChange) -> None:
        """Replace the file by `change.after` atomically.

        Raises AgentError if the file has changed since it was planned, or cannot be written.
        """
        current = self.state(change.path)
        if (current.kind, current.content) != (change.before.kind, change.before.content):
            message = f"{self.root}{change.path} has changed since it was planned"
            raise AgentError.of("plan-stale", message, "plan again")
        try:
            self._put(change.after)
        except OSError as error:
            hint = "fix this in the tree and run the command again; nothing outside the tree is written"
            message = f"cannot write {self.root}{change.path}: {error.strerror}"
            raise AgentError.of("root-unwritable", message, hint) from None

    def _put(self, after: FileState) -> None:
        if after.kind is not FileKind.ABSENT:
            self._make_directory(str(PurePosixPath(after.path).parent))
        with self._open_parent(after.path) as (parent, name):
            if after.kind is FileKind.ABSENT:
                os.unlink(name, dir_fd=parent)
                if name == _HOSTS_FILE:
                    self._remove_empty_directory(str(PurePosixPath(after.path).parent))
            else:
                _remove_leftovers(parent, name)
                owner = (after.uid, after.gid) if os.geteuid() == 0 else None
                replace_file(name, after.content or b"", mode=after.mode, owner=owner, dir_fd=parent)

    def _make_directory(self, directory: str) -> None:
        if self._resolve(directory) is not None:
            return
        self._make_directory(str(PurePosixPath(directory).parent))
        with self._open_parent(directory) as (parent, name):
            try:
                os.mkdir(name, 0o755, dir_fd=parent)
            except FileExistsError:
                reason = f"{directory} is a symbolic link whose target is not in the tree"
                raise FileExistsError(errno.EEXIST, reason) from None

    def _remove_empty_directory(self, directory: str) -> None:
        with self._open_parent(directory) as (parent, name), contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=parent)

    def _read_content(self, path: str) -> bytes | None:
        real = self._resolve(path)
        if real is None:
            return None
        with self._open_parent(real) as (parent, name):
            try:
                handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            except OSError:
                return None
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST_READ:
            os.close(handle)
            return None
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def _resolve(self, path: str, links: int = 0) -> str | None:
        """Return `path` with every link resolved inside the tree; None for an absent target or a loop."""
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
            if links > _MAX_LINKS:
                return None
            target = PurePosixPath((self._locate(done / part)).readlink().as_posix())
            parts = [p for p in target.parts if p != "/"] + parts
            done = PurePosixPath("/") if target.is_absolute() else done
        return str(done)

    def _lstat(self, path: PurePosixPath) -> os.stat_result | None:
        try:
            return self._locate(path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _locate(self, path: PurePosixPath) -> Path:
        return self.root / path.relative_to("/")

    @contextlib.contextmanager
    def _open_parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield a handle of the real directory of `path`, and its last name. Raises OSError as `_open_directory`."""
        pure = PurePosixPath(path)
        with self._open_directory(str(pure.parent)) as handle:
            yield handle, pure.name

    @contextlib.contextmanager
    def _open_directory(self, path: str) -> Iterator[int]:
        """Yield a handle of the real directory. Raises OSError if it is not a directory, absent or not permitted."""
        directory = self._resolve(path)
        if directory is None:
            raise FileNotFoundError(errno.ENOENT, f"{path} is not in the tree")
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in PurePosixPath(directory).parts[1:]:
                try:
                    below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                except NotADirectoryError:
                    raise NotADirectoryError(errno.ENOTDIR, f"{path} is not a directory") from None
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)


def _classify(facts: os.stat_result, content: bytes | None) -> FileKind:
    if stat.S_ISREG(facts.st_mode):
        if content is not None:
            return FileKind.REGULAR
        return FileKind.TOO_LARGE if facts.st_size > LARGEST_READ else FileKind.UNREADABLE
    if stat.S_ISLNK(facts.st_mode):
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if stat.S_ISDIR(facts.st_mode) else FileKind.OTHER


def _remove_leftovers(parent: int, name: str) -> None:
    """Remove temporary files of killed runs next to the file."""
    for entry in os.listdir(parent):
        if entry.startswith(build_temporary_prefix(name)):
            os.unlink(entry, dir_fd=parent)

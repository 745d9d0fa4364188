"""Files replaced in one step.

A reader sees the old content or all of the new, also after a crash: the new file is written beside the old one, synced
and renamed, then the directory is synced. A link is replaced, not followed. If this fails, the old file is unchanged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What setxattr(2) reports for an attribute that this user or this file system cannot set.
_ATTRIBUTE_REFUSED = frozenset({errno.EACCES, errno.EINVAL, errno.ENODATA, errno.ENOTSUP, errno.EPERM})


def replace_file(
    path: str, content: bytes, *, mode: int, owner: tuple[int, int] | None = None, dir_fd: int | None = None
) -> None:
    """Replace the file at `path`, or create it. `owner` is a user ID and a group ID. Raises OSError.

    A relative `path` is below `dir_fd`.
    """

    def prepare(handle: int) -> None:
        if owner is not None:
            os.fchown(handle, *owner)
        os.fchmod(handle, mode)

    _replace(path, content, prepare, dir_fd)


def rewrite_file(path: str, content: bytes) -> None:
    """Replace an existing file; keep its mode, its owner and, if possible, its extended attributes. Raises OSError."""
    facts = os.lstat(path)

    def prepare(handle: int) -> None:
        os.fchown(handle, facts.st_uid, facts.st_gid)
        _copy_attributes(path, handle)
        os.fchmod(handle, stat.S_IMODE(facts.st_mode))

    _replace(path, content, prepare, None)


def describe_error(error: OSError | UnicodeError) -> str:
    """Return the reason of a failed read or write, as the end of a message."""
    if isinstance(error, UnicodeError):
        return "not UTF-8 text"
    return (error.strerror or str(error)).lower()


def build_temporary_prefix(name: str) -> str:
    """Return how the names of the files begin that become `name`; a killed process leaves such a file."""
    return f".{name}.harbor-agent"


def _replace(path: str, content: bytes, prepare: Callable[[int], None], dir_fd: int | None) -> None:
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f"{build_temporary_prefix(name)}.{secrets.token_hex(3)}")  # noqa: PTH118 - below dir_fd
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=dir_fd)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            prepare(handle)
            os.fsync(handle)
        os.rename(temporary, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except BaseException:
        os.unlink(temporary, dir_fd=dir_fd)
        raise
    _sync_directory(directory or ".", dir_fd)


def _copy_attributes(source: str, handle: int) -> None:
    with _ignore_refused_attributes():
        for attribute in os.listxattr(source):
            with _ignore_refused_attributes():
                os.setxattr(handle, attribute, os.getxattr(source, attribute))


@contextlib.contextmanager
def _ignore_refused_attributes() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _ATTRIBUTE_REFUSED:
            raise


def _sync_directory(directory: str, dir_fd: int | None) -> None:
    # A directory may be writable and not readable; the file in it is replaced all the same.
    with contextlib.suppress(PermissionError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY, dir_fd=dir_fd)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

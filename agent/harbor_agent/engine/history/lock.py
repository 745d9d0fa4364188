"""The lock of a run: one run at a time for an inventory on a controller; the error of another one names the holder.

The lock is flock(2) on a file, so a killed process does not hold it. Its entry in the file remains, and shows that its
run was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.history.waiting import Waiting
from harbor_agent.errors import LockedError, UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.local.user import get_user_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "lock"
_DIGITS = 12  # of the digest of an inventory's path
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds or held the lock; `started` is ISO 8601 in UTC."""

    user: str
    host: str
    process: int
    started: str
    run_id: str

    def __str__(self) -> str:
        """Return the holder as it is named in messages."""
        return f"{self.user}@{self.host} (process {self.process}, run {self.run_id}, since {self.started})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """Whether the lock is held, and by which run; a lock that is held without a holder has an empty file."""

    held: bool
    holder: Holder | None = None


def find_lock_file(inventory: str = "") -> Path:
    """Return the path of the lock of an inventory, by its path; of runs that name none if that is "".

    An inventory that is edited while a run lasts keeps its lock. The file is in $XDG_STATE_HOME/harbor-agent, by
    default below ~/.local/state.
    """
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    if not inventory:
        return Path(base) / "harbor-agent" / _NAME
    place = os.path.realpath(inventory) if Path(inventory).exists() else inventory
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
    return Path(base) / "harbor-agent" / f"{_NAME}-{digest[:_DIGITS]}"


@contextlib.contextmanager
def hold_lock(run_id: str, inventory: str = "", waiting: Waiting | None = None) -> Iterator[Holder | None]:
    """Hold the lock of an inventory for a run; yields the holder of the previous run if that was killed.

    Raises LockedError (`run-locked`) naming the holder, UsageError if the file cannot be created.
    """
    with _open_lock_file(find_lock_file(inventory)) as handle:
        _acquire(handle, waiting or Waiting())
        left_behind = _read_holder(handle)
        _write_holder(handle, run_id)
        try:
            yield left_behind
        finally:
            os.ftruncate(handle, 0)


def list_lock_states() -> list[LockState]:
    """Return the state of every lock of this user without changing it."""
    states = []
    for file in _list_lock_files():
        with _open_lock_file(file) as handle:
            states.append(LockState(held=_is_held(handle), holder=_read_holder(handle)))
    return states


def release_locks() -> list[LockState]:
    """Remove the entries of killed runs; returns them. Raises LockedError if there is none, and a run is running."""
    released, held = [], []
    for file in _list_lock_files():
        with _open_lock_file(file) as handle:
            state = LockState(held=_is_held(handle), holder=_read_holder(handle))
            if state.held:
                held.append(state)
            elif state.holder:
                os.ftruncate(handle, 0)
                released.append(state)
    if held and not released:
        message = f"cannot release the lock: its run is still running{_describe_holder(held[0].holder)}"
        raise LockedError.of("run-locked", message, "stop that run first: press Ctrl-C, or kill its process")
    return released


def _list_lock_files() -> list[Path]:
    return sorted(find_lock_file().parent.glob(f"{_NAME}*"))


def _acquire(handle: int, waiting: Waiting) -> None:
    """Take the lock. Raises LockedError if another run holds it for longer than `waiting` allows."""
    deadline, is_reported = time.monotonic() + waiting.seconds, False
    while not _try_lock(handle):
        holder = _describe_holder(_read_holder(handle))
        if time.monotonic() >= deadline or waiting.stop():
            message = f"another run holds the lock{holder}"
            hint = "wait until it ends; --lock-timeout waits; harbor-agent lock show prints the holder"
            raise LockedError.of("run-locked", message, hint)
        if not is_reported:
            waiting.report(f"waiting for the lock, at most {waiting.seconds:.0f} seconds{holder}")
            is_reported = True
        time.sleep(_POLL_SECONDS)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _open_lock_file(file: Path) -> Iterator[int]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"cannot open the lock file {file}: {describe_error(error)}"
        raise UsageError.of(
            "lock-unusable", message, "set XDG_STATE_HOME to a directory that you can write to"
        ) from None
    try:
        yield handle
    finally:
        os.close(handle)


def _describe_holder(holder: Holder | None) -> str:
    return f": {holder}" if holder else " (holder unknown)"


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _write_holder(handle: int, run_id: str) -> None:
    import msgspec  # noqa: PLC0415 - not needed for --help

    holder = Holder(
        user=get_user_name(),
        host=socket.gethostname(),
        process=os.getpid(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=run_id,
    )
    os.ftruncate(handle, 0)
    # On a full disk the lock is held without naming the holder.
    with contextlib.suppress(OSError):
        os.pwrite(handle, msgspec.json.encode(holder) + b"\n", 0)


def _read_holder(handle: int) -> Holder | None:
    """Return the holder in the file; None for an empty file and for anything else."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        return msgspec.json.decode(os.pread(handle, 65536, 0), type=Holder)
    except msgspec.DecodeError:
        return None

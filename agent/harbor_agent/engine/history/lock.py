"""The lock of a run: one at a time on a controller, and whoever is kept out learns by whom.

The lock is flock(2) on a file, so that a killed holder holds nothing; what it wrote into the file stays, and tells
that its run did not end by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import LockedError, UsageError
from harbor_agent.local.user import user_name

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the lock, or held it: `started` is a time for people (ISO 8601, UTC)."""

    user: str
    host: str
    process: int
    started: str
    run_id: str

    def __str__(self) -> str:
        """Return the holder for a sentence."""
        return f"{self.user}@{self.host} (process {self.process}, run {self.run_id}, since {self.started})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """How the lock stands. `held` without a holder: somebody holds it and left no word."""

    held: bool
    holder: Holder | None = None


def lock_file() -> Path:
    """Return where the lock is: $XDG_STATE_HOME/harbor-agent/lock, ~/.local/state by default."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(base) / "harbor-agent/lock"


@contextlib.contextmanager
def run_lock(run_id: str) -> Iterator[Holder | None]:
    """Hold the lock for a run; yields the holder of a run that was killed while it held it, if there was one.

    Raises LockedError (`run-locked`) naming who holds it, UsageError where the file cannot be made.
    """
    with _opened() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _read(handle)
            raise LockedError.of(
                "run-locked",
                f"another run holds the lock: {who or 'it left no word who'}",
                "wait for its end; harbor-agent lock show tells who holds it",
            ) from None
        left_behind = _read(handle)
        _write(handle, run_id)
        try:
            yield left_behind
        finally:
            os.ftruncate(handle, 0)


def lock_state() -> LockState:
    """Return how the lock stands now, without touching it."""
    if not lock_file().exists():
        return LockState(held=False)
    with _opened() as handle:
        return LockState(held=_is_held(handle), holder=_read(handle))


def release_lock() -> LockState:
    """Forget the word that a killed run left; returns how the lock stood. Raises LockedError where a run is alive."""
    if not lock_file().exists():
        return LockState(held=False)
    with _opened() as handle:
        state = LockState(held=_is_held(handle), holder=_read(handle))
        if state.held:
            message = f"the lock is held by a run that is alive: {state.holder or 'it left no word who'}"
            raise LockedError.of("run-locked", message, "end that run first: Ctrl-C, or kill its process")
        os.ftruncate(handle, 0)
        return state


@contextlib.contextmanager
def _opened() -> Iterator[int]:
    file = lock_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError.of("lock-unusable", f"{file}: {error.strerror}", "set XDG_STATE_HOME to a folder") from None
    try:
        yield handle
    finally:
        os.close(handle)


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _write(handle: int, run_id: str) -> None:
    import msgspec  # noqa: PLC0415 - not needed for --help

    holder = Holder(
        user=user_name(),
        host=socket.gethostname(),
        process=os.getpid(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=run_id,
    )
    os.ftruncate(handle, 0)
    # On a full disk the lock is held without a word who holds it.
    with contextlib.suppress(OSError):
        os.pwrite(handle, msgspec.json.encode(holder) + b"\n", 0)


def _read(handle: int) -> Holder | None:
    """Return what the holder wrote; None for an empty file and for anything that is no such word."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        return msgspec.json.decode(os.pread(handle, 65536, 0), type=Holder)
    except msgspec.DecodeError:
        return None

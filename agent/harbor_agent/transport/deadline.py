"""Time limits of jobs, and the end of operations that have none of their own."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_SECONDS = 0.25
_SECONDS_TO_JOIN = 2.0


class DeadlineExceededError(Exception):
    """A job has used up its time, or the run is being stopped."""


class Closable(Protocol):
    """An object that another thread may close."""

    def close(self) -> None:
        """Close it; a thread that waits for it gets an error."""
        ...


class Deadline:
    """The time limit of one job, counted from its creation."""

    def __init__(self, timeout: float, stopping: Event, *, paused_seconds: Callable[[], float] = float) -> None:
        """Allow `timeout` seconds from now, and no more once `stopping` is set.

        `paused_seconds` returns the total time so far that does not count: the time in which the user was prompted.
        """
        self._paused_seconds = paused_seconds
        self._start = time.monotonic() - paused_seconds()
        self.timeout = timeout
        self.stopping = stopping

    @property
    def elapsed(self) -> float:
        """Seconds since the job began, without pauses."""
        return time.monotonic() - self._paused_seconds() - self._start

    @property
    def is_over(self) -> bool:
        """Whether the time is used up or the run is being stopped."""
        return self.stopping.is_set() or self.elapsed >= self.timeout

    def remaining(self, limit: float = float("inf")) -> float:
        """Return the seconds left, at most `limit`. Raises DeadlineExceededError if no time is left."""
        left = self.timeout - self.elapsed
        if left <= 0 or self.stopping.is_set():
            raise DeadlineExceededError
        return min(left, limit)

    def poll_interval(self) -> float:
        """Return the seconds to wait for I/O before the deadline is checked again. Raises DeadlineExceededError."""
        return self.remaining(_POLL_SECONDS)


class Watchdog:
    """Closes objects when their deadline is over, to interrupt calls that have no timeout of their own."""

    def __init__(self) -> None:
        """Start the thread that watches."""
        self._watched: dict[Closable, Deadline] = {}
        self._lock = Lock()
        self._end = Event()
        self._thread = Thread(target=self._run, daemon=True, name="watchdog")
        self._thread.start()

    @contextmanager
    def watch(self, closable: Closable, deadline: Deadline) -> Iterator[None]:
        """Close `closable` if `deadline` is over before the block ends."""
        with self._lock:
            self._watched[closable] = deadline
        try:
            yield
        finally:
            with self._lock:
                del self._watched[closable]

    def close(self) -> None:
        """Stop watching."""
        self._end.set()
        self._thread.join(_SECONDS_TO_JOIN)

    def _run(self) -> None:
        while not self._end.wait(_POLL_SECONDS):
            with self._lock:
                expired = [closable for closable, deadline in self._watched.items() if deadline.is_over]
            for closable in expired:
                closable.close()

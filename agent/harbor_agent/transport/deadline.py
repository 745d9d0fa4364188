"""The time that is left for one job, and what happens when it is over."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST_NAP = 0.25
_SECONDS_TO_WIND_UP = 2.0


class OutOfTimeError(Exception):
    """The job's time is up, or the run is being stopped: then nobody waits for its result any more."""


class Closable(Protocol):
    """What can be closed from another thread."""

    def close(self) -> None:
        """Close it; whoever waits for it sees an error."""
        ...


class Deadline:
    """Counts from its creation; `timeout` is in seconds, `seconds` the time the job has had."""

    def __init__(self, timeout: float, stopping: Event, *, uncounted: Callable[[], float] = float) -> None:
        """Allow `timeout` seconds from now, and less once `stopping` is set.

        `uncounted` tells how many seconds went by so far, ever, that do not count: those a person was asked in.
        """
        self._uncounted = uncounted
        self._begin = time.monotonic() - uncounted()
        self.timeout = timeout
        self.stopping = stopping

    @property
    def seconds(self) -> float:
        """Seconds since the job began."""
        return time.monotonic() - self._uncounted() - self._begin

    @property
    def is_over(self) -> bool:
        """Whether the time is up or the run is being stopped."""
        return self.stopping.is_set() or self.seconds >= self.timeout

    def remaining(self, most: float = float("inf")) -> float:
        """Return the seconds left, at most `most`. Raises OutOfTimeError where there are none."""
        left = self.timeout - self.seconds
        if left <= 0 or self.stopping.is_set():
            raise OutOfTimeError
        return min(left, most)

    def poll_interval(self) -> float:
        """Return how long to wait for I/O before looking at the clock and the stop signal again."""
        return self.remaining(_LONGEST_NAP)


class Watchdog:
    """Closes what is still open when its deadline is over, for calls that wait without a timeout of their own."""

    def __init__(self) -> None:
        """Start watching."""
        self._watched: dict[Closable, Deadline] = {}
        self._lock = Lock()
        self._end = Event()
        self._thread = Thread(target=self._look, daemon=True, name="watch")
        self._thread.start()

    @contextmanager
    def over(self, closable: Closable, deadline: Deadline) -> Iterator[None]:
        """Watch over `closable` while the block runs."""
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
        self._thread.join(_SECONDS_TO_WIND_UP)

    def _look(self) -> None:
        while not self._end.wait(_LONGEST_NAP):
            with self._lock:
                late = [closable for closable, deadline in self._watched.items() if deadline.is_over]
            for closable in late:
                closable.close()

"""A request to stop a run: checked between waves, and interrupts pure waits at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.errors import ExitCode


class StopRequestedError(Exception):
    """The end of an interruptible wait: a stop was requested."""


class StopRequest:
    """Whether a run should start nothing new, and the exit code that it then ends with."""

    def __init__(self) -> None:
        """Start without a request."""
        self.code: ExitCode | None = None
        self._waits = False

    def __call__(self) -> ExitCode | None:
        """Return the exit code that the run must end with, None while it may continue."""
        return self.code

    def request(self, code: ExitCode) -> None:
        """Request a stop; called by a signal handler. Raises StopRequestedError out of an interruptible wait."""
        self.code = code
        if self._waits:
            raise StopRequestedError

    def request_quietly(self, code: ExitCode) -> None:
        """Request a stop from another thread; the wave and the waits of the main thread end as they would."""
        if self.code is None:
            self.code = code

    @contextmanager
    def interruptible_wait(self) -> Iterator[None]:
        """Mark a block of the main thread that only waits; a stop request leaves it with StopRequestedError."""
        if self.code is not None:
            raise StopRequestedError
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

"""The wish that a run start nothing new: polled between the waves, and heard at once by what only waits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.errors import ExitCode


class StopAskedError(Exception):
    """Waiting is over: the run was asked to stop."""


class StopRequest:
    """Whether a run was asked to start nothing new, and the exit code that it then ends with."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.code: ExitCode | None = None
        self._waits = False

    def __call__(self) -> ExitCode | None:
        """Return the exit code that the run must end with, None while it may go on."""
        return self.code

    def ask(self, code: ExitCode) -> None:
        """Ask for it; called by a signal's handler. Raises StopAskedError out of a block that only waits."""
        self.code = code
        if self._waits:
            raise StopAskedError

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark a block of the main thread that only waits: StopAskedError leaves it as soon as a stop is asked for."""
        if self.code is not None:
            raise StopAskedError
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

"""Questions to whoever sits at the terminal: passphrases, and what a bastion asks for at its login."""

from __future__ import annotations

import os
import select
import termios
import time
from contextlib import contextmanager
from threading import Event, Lock
from typing import TYPE_CHECKING

from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_WAIT = 0.25
_LONGEST_ANSWER = 4096


class Terminal:
    """The controlling terminal, asked by one thread at a time.

    `seconds` is how long people have been asked altogether: time that no deadline counts.
    """

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._lock = Lock()
        self._spent = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds that went by with a question open."""
        since = self._since
        return self._spent + (time.monotonic() - since if since is not None else 0.0)

    def ask(self, question: str, *, stopping: Event | None = None, echo: bool = False) -> Sensitive | None:
        """Return the answer to `question`; None where there is no terminal, or once `stopping` is set.

        What is typed does not show unless `echo`.
        """
        with self._lock, _opened() as terminal:
            if terminal is None:
                return None
            self._since = time.monotonic()
            try:
                with _quiet(terminal, echo=echo):
                    os.write(terminal, question.encode())
                    return _line(terminal, stopping or Event())
            finally:
                self._spent += time.monotonic() - self._since
                self._since = None


@contextmanager
def _opened() -> Iterator[int | None]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield None
        return
    try:
        yield terminal
    finally:
        os.close(terminal)


@contextmanager
def _quiet(terminal: int, *, echo: bool) -> Iterator[None]:
    """Switch echoing off, and on again whatever happens; the line's end is shown in its place."""
    before = termios.tcgetattr(terminal)
    if echo:
        yield
        return
    changed = termios.tcgetattr(terminal)
    changed[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, changed)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        os.write(terminal, b"\n")


def _line(terminal: int, stopping: Event) -> Sensitive | None:
    """Read one line, looking up now and then: a thread that waits for an answer must not outlive its run."""
    while not stopping.is_set():
        ready, _, _ = select.select([terminal], [], [], _LONGEST_WAIT)
        if ready:
            line = os.read(terminal, _LONGEST_ANSWER)
            return Sensitive(line.decode(errors="surrogateescape").rstrip("\r\n")) if line else None
    return None

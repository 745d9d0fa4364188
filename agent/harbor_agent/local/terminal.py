"""Questions on the controlling terminal: passphrases, and prompts of a bastion's login."""

from __future__ import annotations

import atexit
import os
import select
import termios
import time
from contextlib import ExitStack, contextmanager
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from harbor_agent.language.current import translate
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# What makes room on the terminal while a question is open.
_displays: list[Callable[[], AbstractContextManager[None]]] = []
_POLL_SECONDS = 0.25
_MAX_ANSWER = 4096


def add_display(make_room: Callable[[], AbstractContextManager[None]]) -> None:
    """Have `make_room()` entered before each question and left after it, by the thread that asks."""
    _displays.append(make_room)


class Terminal:
    """The controlling terminal, used by one thread at a time.

    `seconds` is the total time in which a question was open; deadlines do not count it.
    """

    def __init__(self) -> None:
        """Start without a question."""
        self._lock = Lock()
        self._spent = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """The seconds in which a question was open, including the present one."""
        since = self._since
        return self._spent + (time.monotonic() - since if since is not None else 0.0)

    def ask(self, question: str, *, stopping: Event | None = None, echo: bool = False) -> Sensitive | None:
        """Return the answer to `question`; None if there is no terminal, at its end, or once `stopping` is set.

        The input is hidden unless `echo` is set.
        """
        with self._lock, ExitStack() as room, _open_terminal() as terminal:
            for make_room in _displays if terminal is not None else ():
                room.enter_context(make_room())
            # A thread that waited for its turn while the program ends must not turn echo off again.
            if terminal is None or (stopping is not None and stopping.is_set()):
                return None
            self._since = time.monotonic()
            try:
                with _MODES.for_question(terminal, echo=echo) as may_ask:
                    if not may_ask:
                        return None
                    os.write(terminal, translate(question).encode())
                    return _read_line(terminal, stopping or Event())
            finally:
                self._spent += time.monotonic() - self._since
                self._since = None


@contextmanager
def _open_terminal() -> Iterator[int | None]:
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield None
        return
    try:
        yield terminal
    finally:
        os.close(terminal)


class _Modes:
    """The modes of the terminal while a question hides its answer.

    Questions are asked in threads, and the program may end before such a thread has seen it. So when the interpreter
    exits the modes are restored, and no question changes them any more.
    """

    def __init__(self) -> None:
        """Begin without a question."""
        self._lock = Lock()
        self._before: list[Any] | None = None
        self._is_over = False
        atexit.register(self._end)

    @contextmanager
    def for_question(self, terminal: int, *, echo: bool) -> Iterator[bool]:
        """Turn echo off in the block unless `echo` is set, and print the line end that was not echoed.

        The block gets whether it may ask: not if the program ends.
        """
        with self._lock:
            if not (self._is_over or echo):
                self._before = termios.tcgetattr(terminal)
                changed = termios.tcgetattr(terminal)
                changed[3] &= ~termios.ECHO
                termios.tcsetattr(terminal, termios.TCSAFLUSH, changed)
        try:
            yield not self._is_over
        finally:
            if self._restore(terminal):
                os.write(terminal, b"\n")

    def _restore(self, terminal: int) -> bool:
        with self._lock:
            before, self._before = self._before, None
            if before is not None:
                termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        return before is not None

    def _end(self) -> None:
        self._is_over = True
        with _open_terminal() as terminal:
            if terminal is not None:
                self._restore(terminal)


_MODES = _Modes()


def _read_line(terminal: int, stopping: Event) -> Sensitive | None:
    """Read one line; poll `stopping`, so that a thread that waits for an answer ends with its run."""
    while not stopping.is_set():
        ready, _, _ = select.select([terminal], [], [], _POLL_SECONDS)
        if ready:
            line = os.read(terminal, _MAX_ANSWER)
            return Sensitive(line.decode(errors="surrogateescape").rstrip("\r\n")) if line else None
    return None

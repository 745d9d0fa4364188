"""What a program shows on a terminal of a given size: run behind a pseudoterminal, and emulated by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ROWS = 120
# What decides about widths and colors, and must come from the test.
_OF_THE_TEST = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "KUBECONFIG")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The end of a program on a terminal: its exit code, the bytes it wrote, the screen after them, and the echo."""

    code: int
    written: bytes
    screen: pyte.Screen
    has_echo: bool

    @property
    def lines(self) -> list[str]:
        """The lines of the screen up to the last one that is not empty."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def list_styled(self, **style: object) -> list[str]:
        """Return what is shown in a style, such as `reverse=True` or `fg="red"`, one text per run of characters."""
        found = [""]
        for row in range(self.screen.lines):
            for column in range(self.screen.columns):
                character = self.screen.buffer[row][column]
                if all(getattr(character, name) == value for name, value in style.items()):
                    found[-1] += character.data
                elif found[-1]:
                    found.append("")
            if found[-1]:
                found.append("")
        return found[:-1]

    def list_colors(self) -> tuple[set[str], set[str]]:
        """Return the foreground and background colors of all characters."""
        shown = [self.screen.buffer[row][column] for row in range(ROWS) for column in range(self.screen.columns)]
        return {one.fg for one in shown}, {one.bg for one in shown}


class Session:
    """A program whose standard streams are a terminal of so many columns, while it runs."""

    def __init__(self, argv: Sequence[str], columns: int, env: Mapping[str, str] | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in _OF_THE_TEST}
        environment = {**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        self.columns, self.written = columns, b""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
            os.execvpe(argv[0], list(argv), environment)

    @property
    def text(self) -> str:
        """The screen as it is now."""
        return "\n".join(line.rstrip() for line in emulate(self.written, self.columns).display).rstrip()

    def wait_for(self, is_shown: Callable[[str], object], seconds: float = 60) -> str:
        """Wait until the screen is as expected, and return it."""
        end = time.monotonic() + seconds
        while not is_shown(self.text):
            if time.monotonic() > end:
                os.kill(self._pid, signal.SIGKILL)
                raise AssertionError(f"not within {seconds:g} s: {self.end().text}")
            if select.select([self._terminal], [], [], 0.2)[0]:
                chunk = self._read()
                assert chunk, f"the program has ended: {self.end().text}"
        return self.text

    @property
    def has_echo(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def send(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> Shown:
        """Return the screen after the end of the program."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        has_echo = self.has_echo
        os.close(self._terminal)
        screen = emulate(self.written, self.columns)
        code = os.waitstatus_to_exitcode(status)
        return Shown(code=code, written=self.written, screen=screen, has_echo=has_echo)

    def _read(self) -> bytes:
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:  # what Linux says once the other side is closed
            return b""
        self.written += chunk
        return chunk


def show(argv: Sequence[str], columns: int, *, env: Mapping[str, str] | None = None) -> Shown:
    """Run a program on a terminal to its end."""
    return Session(argv, columns, env).end()


def emulate(written: bytes, columns: int) -> pyte.Screen:
    """Return the screen of a terminal after these bytes."""
    screen = pyte.Screen(columns, ROWS)
    pyte.ByteStream(screen).feed(written)
    return screen


def assert_snapshot(text: str, path: Path) -> None:
    """Assert that a screen is as kept in a file; HARBOR_AGENT_SNAPSHOTS=write keeps it."""
    if os.environ.get("HARBOR_AGENT_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")

"""What a program shows on a terminal of a given size: run behind a pseudoterminal, and emulated by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

ROWS = 120
# What decides about widths and colors, and must come from the test.
_OF_THE_TEST = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "KUBECONFIG")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The end of a program on a terminal: its exit code, the bytes it wrote, and the screen after them."""

    code: int
    written: bytes
    screen: pyte.Screen

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


def show(argv: Sequence[str], columns: int, *, env: Mapping[str, str] | None = None) -> Shown:
    """Run a program whose standard streams are a terminal of so many columns."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_THE_TEST}
    environment = {**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        os.execvpe(argv[0], list(argv), environment)
    written = b"".join(_read_chunks(terminal))
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Shown(code=os.waitstatus_to_exitcode(status), written=written, screen=emulate(written, columns))


def emulate(written: bytes, columns: int) -> pyte.Screen:
    """Return the screen of a terminal after these bytes."""
    screen = pyte.Screen(columns, ROWS)
    pyte.ByteStream(screen).feed(written)
    return screen


def _read_chunks(terminal: int) -> Iterable[bytes]:
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux says once the other side is closed
            return
        if not chunk:
            return
        yield chunk


def assert_snapshot(text: str, path: Path) -> None:
    """Assert that a screen is as kept in a file; HARBOR_AGENT_SNAPSHOTS=write keeps it."""
    if os.environ.get("HARBOR_AGENT_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")

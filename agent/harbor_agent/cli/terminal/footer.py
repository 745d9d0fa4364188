"""Lines at the bottom of the terminal, below everything that is printed, drawn again as time passes."""

from __future__ import annotations

import atexit
import signal
import sys
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING

from harbor_agent.cli.terminal.echo import Echo
from harbor_agent.cli.terminal.streams import find_size, has_colors, is_in_background, surviving_write_errors
from harbor_agent.local.terminal import add_display
from harbor_agent.views.screen.glyphs import remove_styles
from harbor_agent.views.text.layout.cells import measure_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # From the columns and lines of the terminal to lines that fit.
    Render = Callable[[int, int], list[str]]

_SECONDS_BETWEEN_DRAWS = 0.2
_UP, _ERASE_BELOW = "\x1b[A", "\x1b[J"


class Ticker:
    """A thread that calls a function again and again until it is stopped."""

    def __init__(self, function: Callable[[], None], seconds: float) -> None:
        """Call `function` every so many seconds."""
        self._function, self._seconds = function, seconds
        self._is_over = Event()
        self._thread = Thread(target=self._run, daemon=True, name="ticker")
        self._thread.start()

    def stop(self) -> None:
        """Stop soon: a call that has begun goes on."""
        self._is_over.set()

    def _run(self) -> None:
        while not self._is_over.wait(self._seconds):
            self._function()


class Footer:
    """The footer of this process, on standard error. Each method may be called by any thread, also while it prints.

    While it is shown, the terminal does not echo what is typed, except for a question.
    """

    def __init__(self) -> None:
        """Begin without lines."""
        self._lock = RLock()
        self._echo = Echo()
        self._render: Render | None = None
        self._ticker: Ticker | None = None
        self._drawn: list[str] = []
        self._hidings = 0

    def show(self, render: Render) -> None:
        """Show the lines that `render` returns from now on, until `remove`."""
        with self._lock:
            self._render = render
            if not self._hidings:
                self._echo.turn_off()
            self._ticker = self._ticker or Ticker(self._draw, _SECONDS_BETWEEN_DRAWS)

    def remove(self) -> None:
        """Remove the lines; the cursor is where the next text belongs."""
        with self._lock:
            ticker, self._ticker, self._render = self._ticker, None, None
            self._erase()
            self._echo.restore()
        if ticker:
            ticker.stop()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Remove the lines while the block lasts, for a question to the user.

        What was typed before it is discarded: it was not shown, and it must not answer a question.
        """
        with self._without_lines():
            with self._lock:
                self._echo.restore(is_input_kept=False)
            yield

    @contextmanager
    def printing(self) -> Iterator[None]:
        """Make room for text that is printed in the block; other threads print after it."""
        with self._lock, self._without_lines():
            yield

    def stop_process(self) -> None:
        """Stop this process as Ctrl-Z does, with the terminal as it was; returns when the process continues."""
        with self._lock, self._without_lines():
            self._echo.restore()
            before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, before)

    @contextmanager
    def _without_lines(self) -> Iterator[None]:
        with self._lock:
            self._hidings += 1
            self._erase()
        try:
            yield
        finally:
            with self._lock:
                self._hidings -= 1

    def _draw(self) -> None:
        with self._lock:
            if self._render is None or self._hidings or is_in_background(sys.stderr):
                return
            self._echo.turn_off()
            columns, rows = find_size(sys.stderr)
            lines = self._render(columns, rows)
            if lines != self._drawn:
                self._write(self._build_erasure() + "\n".join(lines))
                self._drawn = lines

    def _erase(self) -> None:
        if self._drawn:
            self._write(self._build_erasure())
            self._drawn = []

    def _build_erasure(self) -> str:
        """Return what removes the drawn lines; a terminal that became narrower shows some of them in several rows."""
        if not self._drawn:
            return ""
        columns = find_size(sys.stderr).columns
        rows = sum(max(1, -(-measure_text(remove_styles(line)) // columns)) for line in self._drawn)
        return "\r" + _UP * (rows - 1) + _ERASE_BELOW

    def _write(self, text: str) -> None:
        if not has_colors(sys.stderr):
            text = remove_styles(text)
        encoding = getattr(sys.stderr, "encoding", None) or "ascii"
        with surviving_write_errors(sys.stderr):
            sys.stderr.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
            sys.stderr.flush()


FOOTER = Footer()
add_display(FOOTER.hidden)
atexit.register(FOOTER.remove)

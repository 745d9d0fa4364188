"""Standard output and standard error: whether they are terminals, their colors, and writes that never end a run."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from harbor_agent.cli.common_options import ColorChoice
from harbor_agent.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_color_choices: list[ColorChoice] = []
_USUAL_SIZE = os.terminal_size((80, 24))


@contextmanager
def surviving_write_errors(stream: TextIO) -> Iterator[None]:
    """Continue if the reader of `stream` has ended, or if standard error cannot be written: output controls no run.

    Raises OutputError (`output-failed`) if standard output cannot be written, since a file would be incomplete.
    """
    try:
        yield
    except BrokenPipeError:
        _discard(stream)
    except OSError as error:
        if stream is sys.stderr:
            return
        _discard(stream)
        raise OutputError.of(
            "output-failed",
            f"cannot write to standard output ({error.strerror}); the report is incomplete",
            "free some space and run the same command again; `harbor-agent history` shows the outcome on the nodes",
        ) from None


def choose_colors(choice: ColorChoice) -> None:
    """Take the choice of the command line: it comes before the environment."""
    _color_choices[:] = [choice]


def has_colors(stream: object) -> bool:
    """Whether `stream` gets colors.

    `--color` decides, then NO_COLOR (https://no-color.org), then FORCE_COLOR (https://force-color.org); without them a
    terminal has colors.
    """
    if _color_choices and _color_choices[0] is not ColorChoice.AUTO:
        return _color_choices[0] is ColorChoice.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or can_move_cursor(stream)


def is_terminal(stream: object) -> bool:
    """Whether `stream` is a terminal."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())


def can_move_cursor(stream: object) -> bool:
    """Whether `stream` is a terminal on which lines can be drawn again."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_in_background(stream: TextIO) -> bool:
    """Whether `stream` is the terminal of this process, and another job has it at the moment."""
    try:
        return os.tcgetpgrp(stream.fileno()) != os.getpgrp()
    except (OSError, ValueError):
        return False


def find_size(stream: TextIO) -> os.terminal_size:
    """Return the columns and lines of the terminal of `stream`; $COLUMNS comes first."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = _USUAL_SIZE
    columns = os.environ.get("COLUMNS", "")
    chosen = int(columns) if columns.isascii() and columns.isdecimal() else 0
    return os.terminal_size((chosen or size.columns or _USUAL_SIZE.columns, size.lines or _USUAL_SIZE.lines))


def _discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, including what the interpreter flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""Standard output for results, standard error for progress; colours only on a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import typer

from harbor_agent.errors import OutputError
from harbor_agent.views.text.style import find_problem_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

# The codes of the problems that were printed, in order.
_printed: list[str] = []
# What stands in the terminal's last line, where anything does.
_state: list[str] = []
_STEERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
_ERASE_LINE = "\x1b[K"
_EXPLAINED_AT_ONCE = 4
# Whoever has just said no knows why nothing was done.
_NEEDS_NO_WORDS = "declined"


def use_colours(stream: object) -> bool:
    """Whether to colour what goes to `stream`: a terminal, and no NO_COLOR (https://no-color.org)."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(text: str) -> None:
    """Print a result; characters that the locale cannot show are escaped, never an error."""
    _echo(text, sys.stdout)


def write_json(document: object) -> None:
    """Print a document as JSON, ASCII only so that every locale can carry it."""
    with _whoever_reads(sys.stdout):
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()


def tell(text: str) -> None:
    """Print progress or a note on standard error."""
    _echo(text, sys.stderr)


def tell_more() -> None:
    """Name the command that explains the problems which were printed, a few of them, each once."""
    codes = [code for code in dict.fromkeys(_printed) if code != _NEEDS_NO_WORDS][:_EXPLAINED_AT_ONCE]
    _printed.clear()
    if codes:
        tell(f"more: harbor-agent explain {' '.join(codes)}")


def show_state(text: str) -> None:
    """Show in the terminal's last line how things stand now, below all that is told; "" takes it away again."""
    width = shutil.get_terminal_size().columns - 1
    with _whoever_reads(sys.stderr):
        sys.stderr.write(f"\r{_ERASE_LINE}{_visible(text)[:width]}")
        sys.stderr.flush()
    _state[:] = [text] if text else []


@contextmanager
def _whoever_reads(stream: TextIO) -> Iterator[None]:
    """Go on where nobody reads any more, or where progress finds no room: what is printed steers no run.

    Raises OutputError (`output-failed`) where a result finds no room: whoever keeps it in a file would miss it.
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
            f"standard output takes no more ({error.strerror}), so what was found or done is not told in full",
            "make room where it goes; harbor-agent history shows what became of nodes, the same command looks again",
        ) from None


def _discard(stream: TextIO) -> None:
    """Send the rest of a stream nowhere, also what the interpreter would still write when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _visible(text: str) -> str:
    """Return the text with what would steer a terminal escaped, colours excepted: nodes and registries are quoted."""
    return _STEERS.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def _echo(text: str, stream: TextIO) -> None:
    _printed.extend(find_problem_codes(text))
    below = "".join(_state)
    if below:
        show_state("")
    encoding = getattr(stream, "encoding", None) or "ascii"
    safe = _visible(text).encode(encoding, errors="backslashreplace").decode(encoding)
    with _whoever_reads(stream):
        typer.echo(safe, err=stream is sys.stderr, color=use_colours(stream))
    if below:
        show_state(below)

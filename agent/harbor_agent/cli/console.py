"""Standard output for results, standard error for progress; on a terminal in colors, and fitted to its width."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import typer

from harbor_agent.cli.common_options import ColorChoice
from harbor_agent.errors import OutputError
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import find_problem_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

# The codes of the problems that were printed, in order.
_printed_codes: list[str] = []
# The status line at the bottom of the terminal, if there is one.
_status_line: list[str] = []
_color_choices: list[ColorChoice] = []
# The last ranges change the direction of text (Unicode TR 9): what is shown would not be what is written.
_CONTROL_SEQUENCES = re.compile(
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_ERASE_LINE = "\x1b[K"
_USUAL_WIDTH = 80
_LAST_OF_ONE_BYTE = 0xFF
_EXPLAINED_AT_ONCE = 4
# The user who has just declined knows why nothing was done.
_SELF_EXPLANATORY = "declined"


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
    return bool(os.environ.get("FORCE_COLOR")) or (_is_terminal(stream) and os.environ.get("TERM") != "dumb")


def print_result(text: str) -> None:
    """Print a result on standard output, fitted to a terminal; characters that the locale cannot show are escaped."""
    _print(text, sys.stdout, is_fitted=True)


def print_document(text: str) -> None:
    """Print a file or a manifest on standard output, line by line as it is."""
    _print(text, sys.stdout, is_fitted=False)


def print_json(document: object) -> None:
    """Print a document as JSON, in ASCII so that every locale can show it."""
    with _surviving_write_errors(sys.stdout):
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()


def print_utf8(text: str) -> None:
    """Print a document for a file or for another program, in UTF-8 in every locale."""
    with _surviving_write_errors(sys.stdout):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
        sys.stdout.flush()


def print_status(text: str) -> None:
    """Print progress, a warning or a question's context on standard error, in the language of the process."""
    _print(translate(text), sys.stderr, is_fitted=True)


def print_explain_hint() -> None:
    """Print the command that explains the problems printed so far: the first few, each once."""
    codes = [code for code in dict.fromkeys(_printed_codes) if code != _SELF_EXPLANATORY][:_EXPLAINED_AT_ONCE]
    _printed_codes.clear()
    if codes:
        print_status(f"more: harbor-agent explain {' '.join(codes)}")


def show_status_line(text: str) -> None:
    """Show a line at the bottom of the terminal, below everything printed later; "" removes it."""
    width = find_width(sys.stderr) - 1
    with _surviving_write_errors(sys.stderr):
        sys.stderr.write(f"\r{_ERASE_LINE}{_escape_controls(text)[:width]}")
        sys.stderr.flush()
    _status_line[:] = [text] if text else []


@contextmanager
def _surviving_write_errors(stream: TextIO) -> Iterator[None]:
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


def _discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, including what the interpreter flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def find_width(stream: TextIO) -> int:
    """Return the columns of the terminal of `stream`; $COLUMNS comes first."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())


def _escape_controls(text: str) -> str:
    """Escape terminal control sequences except colors: the text quotes nodes and registries."""
    return _CONTROL_SEQUENCES.sub(_escape_control, text)


def _escape_control(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= _LAST_OF_ONE_BYTE else f"\\u{code:04x}"


def _print(text: str, stream: TextIO, *, is_fitted: bool) -> None:
    _printed_codes.extend(find_problem_codes(text))
    below = "".join(_status_line)
    if below:
        show_status_line("")
    encoding = getattr(stream, "encoding", None) or "ascii"
    shown = _escape_controls(text)
    if is_fitted and _is_terminal(stream):
        from harbor_agent.views.screen.fit import fit_text

        shown = fit_text(shown, find_width(stream), is_unicode=encoding.lower().startswith("utf"))
    safe = shown.encode(encoding, errors="backslashreplace").decode(encoding)
    with _surviving_write_errors(stream):
        typer.echo(safe, err=stream is sys.stderr, color=has_colors(stream))
    if below:
        show_status_line(below)

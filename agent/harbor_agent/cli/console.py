"""Standard output for results, standard error for progress; on a terminal in colors, and fitted to its width."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, TextIO

import typer

from harbor_agent.cli.terminal.footer import FOOTER
from harbor_agent.cli.terminal.streams import find_size, has_colors, is_terminal, surviving_write_errors
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import find_problem_codes

if TYPE_CHECKING:
    from harbor_agent.views.text.layout.table import Table

# The codes of the problems that were printed, in order.
_printed_codes: list[str] = []
# The last ranges change the direction of text (Unicode TR 9): what is shown would not be what is written.
_CONTROL_SEQUENCES = re.compile(
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_LAST_OF_ONE_BYTE = 0xFF
_EXPLAINED_AT_ONCE = 4
# The user who has just declined knows why nothing was done.
_SELF_EXPLANATORY = "declined"


def print_result(text: str) -> None:
    """Print a result on standard output, fitted to a terminal; characters that the locale cannot show are escaped.

    A result of one line is printed in the language of the process; views translate longer ones, which quote files.
    """
    _print(text if "\n" in text else translate(text), sys.stdout, is_fitted=True)


def print_table(table: Table) -> None:
    """Print a table on standard output; on a terminal with the columns that fit."""
    width = find_size(sys.stdout).columns if is_terminal(sys.stdout) else None
    _print("\n".join(table.render(width)), sys.stdout, is_fitted=False)


def print_document(text: str) -> None:
    """Print a file or a manifest on standard output, line by line as it is."""
    _print(text, sys.stdout, is_fitted=False)


def print_json(document: object) -> None:
    """Print a document as JSON, in ASCII so that every locale can show it."""
    with surviving_write_errors(sys.stdout):
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()


def print_utf8(text: str) -> None:
    """Print a document for a file or for another program, in UTF-8 in every locale."""
    with surviving_write_errors(sys.stdout):
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


def _escape_controls(text: str) -> str:
    """Escape terminal control sequences except colors: the text quotes nodes and registries."""
    return _CONTROL_SEQUENCES.sub(_escape_control, text)


def _escape_control(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= _LAST_OF_ONE_BYTE else f"\\u{code:04x}"


def _print(text: str, stream: TextIO, *, is_fitted: bool) -> None:
    _printed_codes.extend(find_problem_codes(text))
    encoding = getattr(stream, "encoding", None) or "ascii"
    shown = _escape_controls(text)
    if is_fitted and is_terminal(stream):
        from harbor_agent.views.screen.fit import fit_text

        shown = fit_text(shown, find_size(stream).columns, is_unicode=encoding.lower().startswith("utf"))
    safe = shown.encode(encoding, errors="backslashreplace").decode(encoding)
    with FOOTER.printing(), surviving_write_errors(stream):
        typer.echo(safe, err=stream is sys.stderr, color=has_colors(stream))

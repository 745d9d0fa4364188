"""Confirmation before a change."""

from __future__ import annotations

import sys

import typer

from harbor_agent.cli.terminal.footer import FOOTER
from harbor_agent.errors import StoppedError
from harbor_agent.language.current import translate


def confirm(question: str, *, outcome: str = "nothing was changed", hint: str = "run the command with --yes") -> None:
    """Ask on the terminal; `outcome` is what a no results in. Raises StoppedError for a no, and without a terminal."""
    if not sys.stdin.isatty():
        message = f"cannot ask for confirmation without a terminal, so {outcome}"
        raise StoppedError.of("not-confirmed", message, hint)
    with FOOTER.hidden():
        is_confirmed = typer.confirm(translate(question), err=True)
    if not is_confirmed:
        raise StoppedError.of("declined", f"declined; {outcome}")

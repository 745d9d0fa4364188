"""harbor-agent explain."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from harbor_agent import resources
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_document, print_result
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.terminal.streams import find_size, is_terminal
from harbor_agent.errors import ExitCode
from harbor_agent.language.current import get_language
from harbor_agent.views.text.style import style

app = command_app()


def _check_known(codes: list[str] | None) -> list[str]:
    """Return the codes unchanged. Raises BadParameter for one without a page."""
    known = resources.list_runbook_codes()
    for code in codes or ():
        if code not in known:
            import difflib

            close = difflib.get_close_matches(code, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else "run `harbor-agent explain` to list all codes"
            raise typer.BadParameter(f"unknown problem code '{code}'; {hint}")
    return codes or []


def _complete(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the codes that start with `incomplete`, each with its meaning, for the shell's completion."""
    return ((code, _read_meaning(code)) for code in resources.list_runbook_codes() if code.startswith(incomplete))


Codes = Annotated[
    list[str] | None,
    typer.Argument(
        help="Problem code shown in brackets, e.g. host-key-unknown. Lists all codes if omitted.",
        metavar="[CODE]...",
        callback=_check_known,
        autocompletion=_complete,
    ),
]


@app.command(epilog=format_examples("harbor-agent explain host-key-unknown", "harbor-agent explain"))
@command
def explain(codes: Codes = None) -> ExitCode:
    """Explain a problem code: what it means and what to do.

    In Chinese with --lang zh or in a Chinese locale (LC_ALL, LC_MESSAGES, LANG), otherwise in English.
    """
    if codes:
        print_document("\n\n".join(_format_page(resources.read_runbook(code, get_language())) for code in codes))
        return ExitCode.DONE
    every = resources.list_runbook_codes()
    width = max(map(len, every))
    for code in every:
        print_result(f"{code:{width}}  {_read_meaning(code)}")
    return ExitCode.DONE


def _read_meaning(code: str) -> str:
    """Return the sentence below the title of the code's page."""
    return resources.read_runbook(code, get_language()).split("\n", 3)[2]


def _format_page(page: str) -> str:
    """Return the page without the targets of links: drawn for a terminal, elsewhere as it is, with bold headings."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", page.rstrip("\n"))
    if is_terminal(sys.stdout):
        from harbor_agent.views.screen.markdown import render_markdown

        return render_markdown(text, find_size(sys.stdout).columns)
    return re.sub(r"^#+ (.+)$", lambda heading: style(heading[1], bold=True), text, flags=re.MULTILINE)

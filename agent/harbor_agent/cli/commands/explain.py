"""harbor-agent explain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Annotated

import typer

from harbor_agent import resources
from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import write
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import style

app = options.command_app()

_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def _known(codes: list[str] | None) -> list[str]:
    """Return the codes as they are. Raises BadParameter for one that has no page."""
    known = resources.runbook_codes()
    for code in codes or ():
        if code not in known:
            import difflib

            close = difflib.get_close_matches(code, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else "without a code they are all listed"
            raise typer.BadParameter(f"there is no problem '{code}'; {hint}")
    return codes or []


def _completed(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the codes that begin so, each with its sentence, for a shell that completes."""
    return ((code, _meaning(code)) for code in resources.runbook_codes() if code.startswith(incomplete))


Codes = Annotated[
    list[str] | None,
    typer.Argument(
        help="What stands in brackets behind a problem, such as host-key-unknown; without one, all are listed.",
        metavar="[CODE]...",
        callback=_known,
        autocompletion=_completed,
    ),
]


@app.command(epilog=options.examples("harbor-agent explain host-key-unknown", "harbor-agent explain"))
@command
def explain(codes: Codes = None) -> ExitCode:
    """Tell what a problem means, why it happens and what to do about it, step by step.

    In Chinese where the locale is Chinese (LC_ALL, LC_MESSAGES, LANG), otherwise in English.
    """
    if codes:
        write("\n\n".join(_as_plain_text(resources.runbook(code, _language())) for code in codes))
        return ExitCode.DONE
    every = resources.runbook_codes()
    width = max(map(len, every))
    for code in every:
        write(f"{code:{width}}  {_meaning(code)}")
    return ExitCode.DONE


def _language() -> str:
    """Return the language of the locale, of those that there are pages in; the first variable that is set decides."""
    locale = next((value for name in _LOCALE_VARIABLES if (value := os.environ.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def _meaning(code: str) -> str:
    """Return the sentence below the title of the code's page."""
    return resources.runbook(code, _language()).split("\n", 3)[2]


def _as_plain_text(page: str) -> str:
    """Return the page as a terminal shows it best: headings that stand out, the names of links alone."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", page.rstrip("\n"))
    return re.sub(r"^#+ (.+)$", lambda heading: style(heading[1], bold=True), text, flags=re.MULTILINE)

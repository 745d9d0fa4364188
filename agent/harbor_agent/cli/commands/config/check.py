"""harbor-agent config check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.config.group import app
from harbor_agent.cli.console import print_json, print_result
from harbor_agent.cli.help import format_examples
from harbor_agent.errors import ExitCode
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import render_problem, render_warnings

if TYPE_CHECKING:
    from harbor_agent.engine.request.config_check import CheckedFile

File = Annotated[
    str | None,
    typer.Argument(help="Settings file; ./harbor-agent.yaml if omitted.", metavar="FILE", show_default=False),
]


@app.command(
    "check",
    epilog=format_examples("harbor-agent config check", "harbor-agent config check clusters/shop.yaml -o json"),
)
@command
def check(file: File = None, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Check a settings file; contact nothing, change nothing.

    Reports every error with its line, and reads the certificates that the file names, but no password. Warnings are
    about what an option has to add, such as --password-stdin. Exit code 2: the file has errors.
    """
    from harbor_agent.engine.request.config_check import check_configuration
    from harbor_agent.views.json.settings import build_check_document

    checked = check_configuration(file)
    code = ExitCode.USAGE if checked.errors else ExitCode.DONE
    if output is options.Format.JSON:
        print_json(build_check_document(checked, code))
    else:
        print_result("\n".join(_describe_file(checked)))
    return code


def _describe_file(checked: CheckedFile) -> list[str]:
    lines: list[str] = []
    for error in checked.errors:
        message, *hint = render_problem(error.problem)
        lines += [message.strip(), *hint]
    lines += render_warnings(error.problem for error in checked.warnings)
    counts = (("error", len(checked.errors)), ("warning", len(checked.warnings)))
    parts = [f"{count} {name}{'s'[: count != 1]}" for name, count in counts if count]
    return [*lines, f"{checked.path}: {translate(', '.join(parts)) or translate('valid')}"]

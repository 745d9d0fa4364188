"""harbor-agent help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_document
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.errors import ExitCode, UsageError

app = command_app()


def _complete(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the names of commands below those typed so far, for the shell's completion."""
    found = _find_context(ctx.find_root(), ctx.params.get("path") or [])
    below = getattr(found.command, "commands", {}) if found else {}
    return (name for name in below if name.startswith(incomplete))


Path = Annotated[
    list[str] | None,
    typer.Argument(
        help="Command and subcommand. Lists all commands if omitted.",
        metavar="[COMMAND [SUBCOMMAND]]",
        autocompletion=_complete,
    ),
]


@app.command(epilog=format_examples("harbor-agent help apply", "harbor-agent help secret validate"))
@command
def show_help(path: Path = None, *, ctx: typer.Context) -> ExitCode:
    """Show the help of a command."""
    found = _find_context(ctx.find_root(), path or [])
    if found is None:
        message = f"no such command: {' '.join(path or [])}"
        raise UsageError.of("usage", message, "run `harbor-agent help` to list the commands")
    print_document(found.command.get_help(found))
    return ExitCode.DONE


def _find_context(root: Any, path: list[str]) -> Any:  # noqa: ANN401 - contexts of whichever click typer brings
    """Return the context of the command at `path`, None if there is no such command."""
    context = root
    for name in path:
        below = getattr(context.command, "commands", {})
        if name not in below:
            return None
        context = type(root)(below[name], info_name=name, parent=context)
    return context

"""harbor-agent schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from harbor_agent import resources
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_result
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.errors import ExitCode

app = command_app()


def _find_name(text: str | None) -> str | None:
    """Return the name of a schema, such as `run-2`, from that, `run`, or `harbor-agent/run/2`. Raises BadParameter."""
    if text is None:
        return None
    names = resources.list_schemas()
    wanted = text.removeprefix("harbor-agent/").removesuffix(".json").replace("/", "-")
    found = [name for name in names if wanted in (name, name.rpartition("-")[0])]
    if not found:
        import difflib

        close = difflib.get_close_matches(wanted, [*names, *(name.rpartition("-")[0] for name in names)], n=1)
        hint = f"did you mean '{close[0]}'?" if close else "run `harbor-agent schema` to list all schemas"
        raise typer.BadParameter(f"unknown schema '{text}'; {hint}")
    return found[-1]


def _complete(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the names that start with `incomplete`, each with its title, for the shell's completion."""
    return ((name, _read_title(name)) for name in resources.list_schemas() if name.startswith(incomplete))


Name = Annotated[
    str | None,
    typer.Argument(
        help="Schema, as the first column of the list or a document names it. Lists all schemas if omitted.",
        metavar="NAME",
        callback=_find_name,
        autocompletion=_complete,
        show_default=False,
    ),
]


@app.command(epilog=format_examples("harbor-agent schema", "harbor-agent schema run >run.schema.json"))
@command
def schema(name: Name = None) -> ExitCode:
    """Print the JSON Schema of a document of -o json.

    `harbor-agent config schema` prints that of harbor-agent.yaml.
    """
    if name:
        print_result(resources.read_schema(name).rstrip("\n"))
        return ExitCode.DONE
    titles = {one: _read_title(one) for one in resources.list_schemas()}
    width = max(map(len, titles))
    print_result("\n".join(f"{one:{width}}  {title}" for one, title in titles.items()))
    return ExitCode.DONE


def _read_title(name: str) -> str:
    """Return the title of a schema: the commands that print the document."""
    return str(json.loads(resources.read_schema(name))["title"])

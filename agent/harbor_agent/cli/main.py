"""The program: its commands, and how it starts and ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from harbor_agent import __version__
from harbor_agent.cli.options import examples
from harbor_agent.errors import ExitCode, OutputError, Problem

# Where this class lives differs between the versions of typer; BadParameter is one of its kinds in all of them.
_CommandLineError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
_OBJECTS_BETWEEN_COLLECTIONS = 250_000
_IN_ORDER = (
    *("render", "plan", "apply", "verify", "drift", "schedule", "rollback", "history"),
    *("secret", "workloads", "trust-hosts", "lock", "explain"),
)


class _Commands(Mapping[str, Any]):
    """The commands in the order in which they are used; each is built, and its module loaded, when it is asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names of modules, with `-` for `_`."""
        self._built: dict[str, Any] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer hides the type of its commands
        """Return the command. Raises KeyError where there is none of that name."""
        command = self._built[name]
        if command is None:
            module = import_module(f"harbor_agent.cli.commands.{name.replace('-', '_')}")
            command = self._built[name] = get_command(module.app)
            command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._built)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._built)


class _Program(TyperGroup):
    """All commands, in their order."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - whatever typer hands over
        """Take the commands from where they are built when they are asked for."""
        super().__init__(**attributes)
        self.commands = _Commands(_IN_ORDER)  # type: ignore[assignment]  # nobody adds to them


app = typer.Typer(
    name="harbor-agent",
    cls=_Program,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Make every node of a cluster trust a plain-HTTP Harbor, and give the cluster its pull secret.\n\n"
        "plan shows the exact diff of every file and changes nothing; apply asks, changes the nodes wave by wave, "
        "proves each by a real pull and puts back what fails.\n\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 3 changes pending, 4 unreachable, 5 refused, 6 a node needs a person, "
        "7 stopped early."
    ),
    epilog=examples(
        "harbor-agent plan  -i inventory.ini --registry 192.168.0.99",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
    ),
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"harbor-agent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Take the options that stand before the command."""


def main() -> None:
    """Run the command line; ends the process with the exit code of the contract."""
    # The libraries make a hundred thousand objects, and they stay: looking for cycles among them again and again would
    # be a twelfth of a plan's CPU time, and looking for the last time, when the interpreter ends, a fifth of its start.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)
    _open_what_is_closed()
    try:
        sys.exit(app(standalone_mode=False))
    except _CommandLineError as error:
        error.show()
        if _asks_for_json(sys.argv[1:]):
            _print_usage_error(error.format_message())
        sys.exit(ExitCode.USAGE)


def _open_what_is_closed() -> None:
    """Give those an empty end who are started without standard input or output, as some supervisors do it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number, which is the right one: those below it are open by now.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False))


def _asks_for_json(arguments: list[str]) -> bool:
    """Whether JSON was asked for on a command line that cannot be read as a whole."""
    joined = not {"-ojson", "--output=json"}.isdisjoint(arguments)
    return joined or any(pair in {("-o", "json"), ("--output", "json")} for pair in pairwise(arguments))


def _print_usage_error(message: str) -> None:
    from harbor_agent.cli.console import write_json
    from harbor_agent.views.json.error import build_error_document

    problem = Problem(code="usage", message=message, hint="--help lists what there is")
    with suppress(OutputError):  # standard error has told already
        write_json(build_error_document(problem, ExitCode.USAGE))

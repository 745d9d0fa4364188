"""The program: its commands, its start and its end."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any, cast

import typer
from typer.main import get_command

from harbor_agent import __version__
from harbor_agent.cli.help import HelpGroup, Lang, format_examples, show_usage_error
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.language.choice import ENGLISH, choose_language
from harbor_agent.language.current import set_language

# The module of this class differs between versions of typer; BadParameter is a subclass in all of them.
_CommandLineError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
_OBJECTS_BETWEEN_COLLECTIONS = 250_000
_IN_ORDER = (
    *("init", "render", "plan", "apply", "verify", "diagnose", "drift", "schedule", "rollback", "merge", "history"),
    *("secret", "dns", "workloads", "trust-hosts", "lock", "config", "schema", "explain", "help"),
)


class _Commands(Mapping[str, Any]):
    """The commands in the order of their use; the module of each is imported when the command is looked up."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names of the commands: those of their modules, with `-` for `_`."""
        self._built: dict[str, Any] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer hides the type of its commands
        """Return the command. Raises KeyError for an unknown name."""
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
        """Return the number of commands."""
        return len(self._built)


class _Program(HelpGroup):
    """All commands, in the order of their use."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as typer passes them
        """Build the group without importing the modules of its commands."""
        super().__init__(**attributes)
        self.commands = _Commands(_IN_ORDER)  # type: ignore[assignment]  # no command is added later


app = typer.Typer(
    name="harbor-agent",
    cls=_Program,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Make every node of a cluster trust a plain-HTTP Harbor, and give the cluster its pull secret.\n\n"
        "plan shows the exact diff of every file and changes nothing. apply asks for confirmation, changes the nodes "
        "in waves, verifies each with a real pull, and rolls back a change that fails.\n\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 3 changes pending, 4 unreachable, 5 refused, 6 manual intervention "
        "required, 7 stopped early."
    ),
    epilog=format_examples(
        "harbor-agent plan  -i inventory.ini --registry 192.168.0.99",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent help apply",
    ),
)


def _print_version(show: bool) -> None:
    if show:
        typer.echo(f"harbor-agent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
    lang: Lang = None,
) -> None:
    """Take the options before the command."""


def main() -> None:
    """Run the command line; ends the process with the exit code of the contract."""
    # The libraries create a hundred thousand objects that stay. Looking for cycles among them costs a twelfth of a
    # plan's CPU time, and the last collection, when the interpreter exits, a fifth of the start-up time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)
    _open_closed_streams()
    _set_language()
    try:
        sys.exit(app(prog_name="harbor-agent", standalone_mode=False))
    except _CommandLineError as error:
        show_usage_error(error)
        _print_usage_error(error.format_message(), _find_format(sys.argv[1:]))
        sys.exit(ExitCode.USAGE)


def _set_language() -> None:
    """Read the catalogue of the language that --lang or the locale names; nothing is read for English."""
    language = choose_language(sys.argv[1:], os.environ, (sys.stdout.encoding, sys.stderr.encoding))
    if language != ENGLISH:
        from harbor_agent import resources
        from harbor_agent.language.catalogue import Catalogue

        set_language(language, Catalogue.parse(resources.read_translations(language)))


def _open_closed_streams() -> None:
    """Open /dev/null for standard streams that are closed, as some supervisors leave them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number is the right one: those below it are open by now.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False))


def _find_format(arguments: list[str]) -> str:
    """Return the format of the result that a command line which cannot be parsed requests, "" for none."""
    for argument, following in pairwise([*arguments, ""]):
        if argument in ("-o", "--output"):
            return following
        if argument.startswith(("-o", "--output=")):
            return argument.removeprefix("--output=").removeprefix("-o")
    return ""


def _print_usage_error(message: str, output: str) -> None:
    from harbor_agent.cli.reports import print_early_end

    problem = Problem(code="usage", message=message, hint="add --help to list commands and options")
    print_early_end(problem, ExitCode.USAGE, output)

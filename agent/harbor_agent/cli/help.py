"""Help texts: options in panels, commands with uncut summaries, examples; without rich, which takes 0.1 s to import."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

_Function = TypeVar("_Function", bound=Callable[..., Any])
# typer puts a default that is described in words in parentheses.
# Longer names of options have a line of their own.
_WIDEST_COLUMN = 26
_DESCRIBED_DEFAULT = re.compile(r"\[default: \((.+)\)(?=[;\]])")


class Panel(enum.StrEnum):
    """The groups of options in a help text, in their order."""

    NODES = "Nodes"
    REGISTRY = "Registry and login"
    PLAN = "Plan"
    SECRET = "Pull secret"  # noqa: S105 - a title
    SCHEDULE = "Schedule"
    RUN = "Run"
    OUTPUT = "Output"


class HelpCommand(TyperCommand):
    """A command whose help has its options in panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - whichever click typer brings
        """Write the arguments, then a panel per kind of option."""
        _write_panels(self.get_params(ctx), ctx, formatter)


class HelpGroup(TyperGroup):
    """A group of commands whose help has its options in panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - whichever click typer brings
        """Write a panel per kind of option, then the commands."""
        _write_panels(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)


class CommandApp(typer.Typer):
    """The commands of one module."""

    def command(
        self,
        name: str | None = None,
        *,
        cls: type[TyperCommand] | None = HelpCommand,
        **settings: Any,  # noqa: ANN401 - as typer types them
    ) -> Callable[[_Function], _Function]:
        """Register a command whose help has panels."""
        return super().command(name, cls=cls, **settings)


def command_app(**settings: Any) -> CommandApp:  # noqa: ANN401 - as typer calls and types them
    """Return an app for the commands of one module; `settings` are typer's."""
    return CommandApp(cls=HelpGroup, rich_markup_mode=None, add_completion=False, **settings)


def build_option(panel: Panel, names: str, text: str, **settings: Any) -> Any:  # noqa: ANN401 - as typer types it
    """Return a typer option: its panel, its names with blanks between, its help text; `settings` are typer's."""
    return typer.Option(*names.split(), help=text, rich_help_panel=panel, **settings)


def format_examples(*lines: str) -> str:
    """Return the end of a help text: commands to copy, which are never wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _write_panels(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
    """Write arguments and options in the order of `Panel`; an option without a panel, such as --help, comes last."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{panel.value: [] for panel in Panel}}
    without_panel: list[tuple[str, str]] = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        row = (record[0], _DESCRIBED_DEFAULT.sub(r"[default: \1", record[1]))
        if parameter.param_type_name == "argument":
            panels["Arguments"].append(row)
        elif panel := getattr(parameter, "rich_help_panel", None):
            panels[panel].append(row)
        else:
            without_panel.append(row)
    panels[Panel.OUTPUT if any(panels[panel] for panel in Panel) else "Options"] = [
        *panels[Panel.OUTPUT],
        *without_panel,
    ]
    width = max(len(names) for rows in panels.values() for names, _ in rows if len(names) <= _WIDEST_COLUMN)
    for title, rows in panels.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl([(names.ljust(width), text) for names, text in rows], col_max=_WIDEST_COLUMN)

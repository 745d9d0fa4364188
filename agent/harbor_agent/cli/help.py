"""Help texts: options in panels, commands with uncut summaries, examples; without rich, which takes 0.1 s to import."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from harbor_agent.language.choice import ENGLISH
from harbor_agent.language.current import get_language, translate
from harbor_agent.views.text.layout.cells import measure_text, wrap_text

_Context: Any = TyperCommand.context_class
_Formatter: Any = _Context.formatter_class
_Function = TypeVar("_Function", bound=Callable[..., Any])
# typer puts a default that is described in words in parentheses.
# Longer names of options have a line of their own.
_WIDEST_COLUMN = 26
_DESCRIBED_DEFAULT = re.compile(r"\[default: \((.+)\)(?=[;\]])")
# typer puts the name of an argument in brackets or braces and appends dots, also if the name has them; and its type.
_WRAPPED_ARGUMENT = re.compile(r"(?:\[(?=\[)|\{)(.+?)[\]}](?:\.{3})?")
_TYPE_OF_ARGUMENT = re.compile(r" <[^>]+>\Z")


class Panel(enum.StrEnum):
    """The groups of options in a help text, in their order."""

    NODES = "Nodes"
    REGISTRY = "Registry and login"
    PLAN = "Plan"
    SECRET = "Pull secret"  # noqa: S105 - a title
    SCHEDULE = "Schedule"
    RUN = "Run"
    OUTPUT = "Output"


class Language(enum.StrEnum):
    """Languages of texts."""

    EN = "en"
    ZH = "zh"


class _HelpFormatter(_Formatter):  # type: ignore[misc]  # of whichever click typer brings
    """Writes help in the language of the process; English as click writes it."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line that shows how a command is called."""
        super().write_usage(prog, args, translate("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write the title of a section."""
        if get_language() == ENGLISH:
            super().write_heading(heading)
        else:
            self.write(f"{' ' * self.current_indent}{translate(heading)}：\n")

    def write_text(self, text: str) -> None:
        r"""Write paragraphs; one that begins with \b keeps its lines."""
        if get_language() == ENGLISH:
            super().write_text(text)
            return
        indent = " " * self.current_indent
        blocks = []
        for paragraph in text.split("\n\n"):
            if paragraph.startswith("\b"):
                title, *lines = paragraph.splitlines()[1:]
                block = [translate(title), *lines]
            else:
                block = wrap_text(translate(" ".join(paragraph.split())), self.width - self.current_indent)
            blocks.append("\n".join(indent + line for line in block))
        self.write("\n\n".join(blocks) + "\n")

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:  # noqa: ANN401 - as click types it
        """Write rows of a name and a text."""
        if get_language() == ENGLISH:
            super().write_dl(rows, col_max, col_spacing)
            return
        names = [measure_text(name) for name, _ in rows]
        column = min(max(names), col_max) + col_spacing
        for (name, text), size in zip(rows, names, strict=True):
            begin = " " * self.current_indent + name
            begin += (
                " " * (column - size) if size <= column - col_spacing else "\n" + " " * (column + self.current_indent)
            )
            lines = wrap_text(_translate_row(text), max(self.width - column - 2, 10))
            self.write(begin + ("\n" + " " * (column + self.current_indent)).join(lines) + "\n")


def _translate_row(text: str) -> str:
    """Return the text of an option, its default in brackets, or the summary of a command, which lost its full stop."""
    text, _, extra = text.partition("  [")
    sentence = translate(f"{text}.")
    translated = translate(text) if sentence == f"{text}." else sentence.removesuffix("。")
    facts = "；".join(map(translate, extra.removesuffix("]").split("; ")))
    return f"{translated} [{facts}]" if extra else translated


class _HelpContext(_Context):  # type: ignore[misc]  # of whichever click typer brings
    """The context of a command, with our way to write help."""

    formatter_class = _HelpFormatter


class HelpCommand(TyperCommand):
    """A command whose help has its options in panels."""

    context_class = _HelpContext

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - whichever click typer brings
        """Return the words of the usage line, each argument as its name is written."""
        options, *arguments = super().collect_usage_pieces(ctx)
        return [options, *map(_unwrap_argument, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - whichever click typer brings
        """Write the arguments, then a panel per kind of option."""
        _write_panels(self.get_params(ctx), ctx, formatter)


def _unwrap_argument(piece: str) -> str:
    """Return `[NAME]...` of `[[NAME]...]...`, and `NAME...` of `{NAME...}...`."""
    found = _WRAPPED_ARGUMENT.fullmatch(piece)
    return found[1] if found else piece


class HelpGroup(TyperGroup):
    """A group of commands whose help has its options in panels."""

    context_class = _HelpContext

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


# Every command has it. The command line is searched for it before it is parsed: `language.choice`.
Lang = Annotated[
    Language | None, build_option(Panel.OUTPUT, "--lang", "Language of texts.", show_default="that of the locale")
]


def format_examples(*lines: str) -> str:
    """Return the end of a help text: commands to copy, which are never wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def show_usage_error(error: Any) -> None:  # noqa: ANN401 - of whichever click typer brings
    """Print a mistake in the command line with the usage of the command, on standard error."""
    if get_language() == ENGLISH:
        error.show()
        return
    if error.ctx is not None:
        typer.echo(error.ctx.get_usage(), err=True)
        typer.echo(translate(f"Try '{error.ctx.command_path} --help' for help.") + "\n", err=True)
    typer.echo(translate("Error: ") + translate(error.format_message()), err=True)


def list_panels(parameters: Iterable[Any], ctx: Any) -> dict[str, list[tuple[str, str]]]:  # noqa: ANN401 - as above
    """Return the rows (names, text) of arguments and options by the title of their panel, in the order of `Panel`.

    An option without a panel, such as --help, comes last.
    """
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{panel.value: [] for panel in Panel}}
    without_panel: list[tuple[str, str]] = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        row = (record[0], _DESCRIBED_DEFAULT.sub(r"[default: \1", record[1]))
        if parameter.param_type_name == "argument":
            panels["Arguments"].append((_TYPE_OF_ARGUMENT.sub("", row[0]), row[1]))
        elif panel := getattr(parameter, "rich_help_panel", None):
            panels[panel].append(row)
        else:
            without_panel.append(row)
    panels[Panel.OUTPUT if any(panels[panel] for panel in Panel) else "Options"] = [
        *panels[Panel.OUTPUT],
        *without_panel,
    ]
    return panels


def _write_panels(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
    panels = list_panels(parameters, ctx)
    width = max(len(names) for rows in panels.values() for names, _ in rows if len(names) <= _WIDEST_COLUMN)
    for title, rows in panels.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl([(names.ljust(width), text) for names, text in rows], col_max=_WIDEST_COLUMN)

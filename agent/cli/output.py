"""Standard output for results, standard error for progress; colours only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field

import typer

from agent.cli.options import Format
from agent.engine.events import Event, Message, NodeDone, NodeFinished, Phase
from agent.errors import Problem
from agent.model.result import Outcome

_COLOURS = {
    Outcome.CHANGE: typer.colors.YELLOW,
    Outcome.CHANGED: typer.colors.GREEN,
    Outcome.UNCHANGED: typer.colors.GREEN,
    Outcome.SKIPPED: typer.colors.BRIGHT_BLACK,
}
# The codes of the problems that were printed, in order.
_printed: list[str] = []
_EXPLAINED_AT_ONCE = 4
# Whoever has just said no knows why nothing was done.
_NEEDS_NO_WORDS = "declined"


def use_colours(stream: object) -> bool:
    """Whether to colour what goes to `stream`: a terminal, and no NO_COLOR (https://no-color.org)."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured_outcome(outcome: Outcome) -> str:
    """Return the outcome's word in its colour; anything that is not fine is red."""
    return typer.style(outcome.value.replace("_", " "), fg=_COLOURS.get(outcome, typer.colors.RED), bold=True)


def coloured_diff(diff: str) -> str:
    """Return a unified diff with its lines coloured."""
    colours = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    lines = []
    for line in diff.splitlines():
        header = line.startswith(("+++", "---"))
        colour = None if header else colours.get(line[:1])
        lines.append(typer.style(line, fg=colour, bold=header) if colour or header else line)
    return "\n".join(lines)


def write(text: str) -> None:
    """Print a result; characters that the locale cannot show are escaped, never an error."""
    _echo(text, sys.stdout)


def write_json(document: object) -> None:
    """Print a document as JSON, ASCII only so that every locale can carry it."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def tell(text: str) -> None:
    """Print progress or a note on standard error."""
    _echo(text, sys.stderr)


def problem_lines(problem: Problem) -> list[str]:
    """Return a problem and its way out as indented lines, to be printed; a hint may be a whole block to copy.

    `tell_more` then says where there is more about it.
    """
    _printed.append(problem.code)
    code = typer.style(f"[{problem.code}]", dim=True)
    first, *more = problem.hint.splitlines() or [""]
    hint = [f"  -> {first}", *(f"     {line}" if line else "" for line in more)] if first else []
    return [f"  {problem.message} {code}", *hint]


def tell_more() -> None:
    """Name the command that explains the problems which were printed, a few of them, each once."""
    codes = [code for code in dict.fromkeys(_printed) if code != _NEEDS_NO_WORDS][:_EXPLAINED_AT_ONCE]
    _printed.clear()
    if codes:
        tell(f"more: harbor-agent explain {' '.join(codes)}")


def _echo(text: str, stream: object) -> None:
    encoding = getattr(stream, "encoding", None) or "ascii"
    safe = text.encode(encoding, errors="backslashreplace").decode(encoding)
    typer.echo(safe, err=stream is sys.stderr, color=use_colours(stream))


@dataclass(slots=True)
class Progress:
    """A listener that tells on standard error how far the run is, a line a node."""

    output: Format
    verbose: int = 0
    _total: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)

    def __call__(self, event: Event) -> None:
        """Print one line for the event, or none where it is not worth one."""
        match event:
            case Phase(name=name, total=total):
                self._total, self._done = total, 0
                if total:
                    tell(typer.style(f"{name} ({total} node{'s' if total != 1 else ''})", bold=True))
            case NodeDone(node=node, text=text, seconds=seconds):
                self._done += 1
                if self.verbose or text != "seen":
                    tell(f"  [{self._done}/{self._total}] {node}: {text} ({seconds:.1f} s)")
            case NodeFinished(result=result):
                proof = {True: ", pull proven", False: ", pull failed", None: ""}[result.verified]
                outcome = coloured_outcome(result.outcome)
                tell(f"  {result.node}: {outcome}{proof} ({result.action.value}, {result.seconds:.1f} s)")
                if result.problem:
                    tell("\n".join(f"    {line}" for line in problem_lines(result.problem)))
            case Message(text=text):
                tell(text)

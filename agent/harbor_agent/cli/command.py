"""What every command does around its work: errors become a clear line (or JSON) and an exit code."""

from __future__ import annotations

import contextlib
import inspect
import signal
import traceback
from typing import TYPE_CHECKING, NoReturn

import typer

from harbor_agent.cli.console import tell, tell_more, write_json
from harbor_agent.cli.option_groups import collect_arguments, expand_parameters
from harbor_agent.cli.options import Format
from harbor_agent.errors import AgentError, ExitCode, OutputError, Problem
from harbor_agent.views.text.style import Color, render_problem, style

if TYPE_CHECKING:
    from collections.abc import Callable


def command(command: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Make a command of a function that takes groups of options and returns its exit code (None: go on).

    Each parameter whose type is a dataclass stands for all of its fields, so that commands share options without
    repeating them. Errors become a line (or JSON) and an exit code; a traceback is shown only for a bug of ours,
    and without the values of variables: they may be secret.
    """
    parameters = expand_parameters(command)

    def run(**values: object) -> None:
        output = values.get("output")
        signal.signal(signal.SIGTERM, lambda *_: _terminate(output))
        arguments = collect_arguments(command, values)
        code = _exit_code(lambda: command(**arguments), output)
        tell_more()
        if code is not None:
            raise typer.Exit(int(code))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks for it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _exit_code(command: Callable[[], ExitCode | None], output: object) -> ExitCode | None:
    try:
        return command()
    except AgentError as error:
        _report(error, output)
        return error.exit_code
    except typer.Abort:
        tell("\nnothing was changed")
        return _ended(ExitCode.INTERRUPTED, _interrupted("interrupted at the question; nothing was changed"), output)
    except KeyboardInterrupt:
        tell("interrupted; nodes that had begun finish by themselves, run the same command again to see them")
        return _ended(ExitCode.INTERRUPTED, _interrupted("interrupted"), output)
    except Exception as error:  # noqa: BLE001 - the last resort: say it is our bug, and keep secrets out
        return _ended(ExitCode.BUG, _bug(error), output)


def _report(error: AgentError, output: object) -> None:
    _ended(error.exit_code, error.problem, output)
    message, *hint = render_problem(error.problem)
    tell(style("error: ", Color.RED, bold=True) + message.strip())
    for line in hint:
        tell(line)


def _ended(code: ExitCode, problem: Problem, output: object) -> ExitCode:
    """Print the document of an early end where JSON is wanted; returns `code`."""
    if output is Format.JSON:
        from harbor_agent.views.json.error import build_error_document

        # Where standard output itself is what is broken, the exit code still tells.
        with contextlib.suppress(OutputError, ValueError):
            write_json(build_error_document(problem, code))
    return code


def _bug(error: Exception) -> Problem:
    tell("this is a bug of harbor-agent; please report the lines below")
    frames = traceback.extract_tb(error.__traceback__)
    for frame in frames:
        tell(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    kind = type(error).__name__
    tell(f"  {kind}")
    return Problem(
        code="bug",
        message=f"a bug of harbor-agent: {kind} in {frames[-1].name}, line {frames[-1].lineno}",
        hint="report what stands on standard error; run the same command again to see the nodes",
    )


def _interrupted(how: str) -> Problem:
    hint = "nodes that had begun finish by themselves; run the same command again to see them"
    return Problem(code="interrupted", message=how, hint=hint)


def _terminate(output: object) -> NoReturn:
    tell("terminated; nodes that had begun finish by themselves")
    raise SystemExit(int(_ended(ExitCode.TERMINATED, _interrupted("terminated"), output)))

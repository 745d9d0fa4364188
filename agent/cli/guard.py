"""What every command does around its work: errors become a clear line (or JSON) and an exit code."""

from __future__ import annotations

import functools
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import typer

from agent.cli.options import Format
from agent.cli.output import tell, write_json
from agent.errors import AgentError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def guarded(command: Callable[P, ExitCode]) -> Callable[P, None]:
    """Wrap a command that returns its exit code; the wrapper ends the program with it.

    A traceback is printed only for a bug of ours, without the values of variables: they may be secret.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _terminate)
        try:
            code = command(*args, **kwargs)
        except AgentError as error:
            _report(error, kwargs.get("output"))
            code = error.exit_code
        except KeyboardInterrupt:
            tell("interrupted; nodes that had begun finish by themselves, run the same command again to see them")
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = ExitCode.DONE
        except Exception as error:  # noqa: BLE001 - the last resort: say it is our bug, and keep secrets out
            _bug(error)
            code = ExitCode.BUG
        raise typer.Exit(int(code))

    return run


def _report(error: AgentError, output: object) -> None:
    if output is Format.JSON:
        from agent.engine.documents import error_document  # noqa: PLC0415 - only on this way out

        write_json(error_document(error))
    tell(typer.style("error: ", fg=typer.colors.RED, bold=True) + error.problem.message)
    if error.problem.hint:
        tell(f"  → {error.problem.hint}")


def _bug(error: Exception) -> None:
    tell("this is a bug of harbor-agent; please report the lines below")
    for frame in traceback.extract_tb(error.__traceback__):
        tell(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    tell(f"  {type(error).__name__}")


def _terminate(_signal: int, _frame: object) -> NoReturn:
    tell("terminated; nodes that had begun finish by themselves")
    raise SystemExit(int(ExitCode.TERMINATED))

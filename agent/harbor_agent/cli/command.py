"""The frame around every command: groups of options, errors as a line or JSON, exit codes."""

from __future__ import annotations

import inspect
import signal
import traceback
from typing import TYPE_CHECKING, NoReturn

import typer

from harbor_agent.cli.common_options import ColorChoice, CommonOptions
from harbor_agent.cli.console import print_explain_hint, print_status
from harbor_agent.cli.option_groups import collect_arguments, expand_parameters
from harbor_agent.cli.reports import print_early_end
from harbor_agent.cli.terminal.footer import FOOTER
from harbor_agent.cli.terminal.streams import choose_colors
from harbor_agent.errors import AgentError, ExitCode, Problem, UsageError
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import Color, render_problem, render_warnings, style

if TYPE_CHECKING:
    from collections.abc import Callable

_RUN_AGAIN = "nodes already started finish on their own; run the same command again to check them"
_START_AGAIN = "run the same command again"
_CHANGES_NODES = frozenset({"apply", "rollback", "drift"})


def command(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Turn a function into a typer command; it takes groups of options and returns its exit code (None: continue).

    A parameter whose type is a dataclass stands for all of its fields, so that commands share options. Errors become
    a line (or JSON) and an exit code. Only a bug prints a traceback, without values: they may be secret.
    """
    parameters = [*expand_parameters(function), *expand_parameters(_take_common_options)]
    common = [parameter.name for parameter in expand_parameters(_take_common_options)]

    def run(**values: object) -> None:
        output = values.get("output")
        chosen = {name: values.pop(name) for name in common}
        _take_common_options(**collect_arguments(_take_common_options, chosen))  # type: ignore[arg-type]
        hint = _RUN_AGAIN if function.__name__ in _CHANGES_NODES else _START_AGAIN
        signal.signal(signal.SIGTERM, lambda *_: _terminate(output, hint))
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, lambda *_: FOOTER.stop_process())
        arguments = collect_arguments(function, values)
        code = _run(lambda: function(**arguments), output, hint)
        print_explain_hint()
        if code is not None:
            raise typer.Exit(int(code))

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks for it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _take_common_options(options: CommonOptions) -> None:
    # A group of commands has the options too, and the command after it need not repeat them.
    if options.color is not ColorChoice.AUTO:
        choose_colors(options.color)
    if options.debug:
        from harbor_agent.cli.terminal.debug import show_debug_log

        show_debug_log(print_status)


def _run(function: Callable[[], ExitCode | None], output: object, hint: str) -> ExitCode | None:
    try:
        return _end_display(function)
    except AgentError as error:
        _report(error, output)
        return error.exit_code
    except typer.Abort:
        print_status("\nnothing was changed")
        problem = _describe_interruption("interrupted at the confirmation; nothing was changed", _START_AGAIN)
        return _end(ExitCode.INTERRUPTED, problem, output)
    except KeyboardInterrupt:
        print_status(f"interrupted; {hint}")
        return _end(ExitCode.INTERRUPTED, _describe_interruption("interrupted", hint), output)
    except Exception as error:  # noqa: BLE001 - the last resort: report our bug, and keep secrets out
        if lack := _find_lack(error):
            _report(lack, output)
            return lack.exit_code
        return _end(ExitCode.BUG, _report_bug(error), output)


def _end_display(function: Callable[[], ExitCode | None]) -> ExitCode | None:
    """Run the command; however it ends, nothing stays at the bottom of the terminal."""
    try:
        return function()
    finally:
        FOOTER.remove()


def _find_lack(error: Exception) -> UsageError | None:
    """Return the error of a machine without a directory for temporary files; None for any other error."""
    if isinstance(error, FileNotFoundError) and "temporary directory" in (reason := error.strerror or ""):
        message = f"cannot write temporary files: {reason[0].lower()}{reason[1:]}"
        hint = "set TMPDIR to a writable directory, or start the container with --tmpfs /tmp"
        return UsageError.of("temporary-directory-missing", message, hint)
    return None


def _report(error: AgentError, output: object) -> None:
    _end(error.exit_code, error.problem, output)
    for line in render_warnings(error.warnings):
        print_status(line)
    message, *hint = render_problem(error.problem)
    print_status(style(translate("error: "), Color.RED, bold=True) + message.strip())
    for line in hint:
        print_status(line)


def _end(code: ExitCode, problem: Problem, output: object) -> ExitCode:
    """Print the document of an early end in the format `output`; returns `code`."""
    print_early_end(problem, code, str(output))
    return code


def _report_bug(error: Exception) -> Problem:
    print_status("this is a bug in harbor-agent; please report the lines below")
    frames = traceback.extract_tb(error.__traceback__)
    for frame in frames:
        print_status(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    kind = type(error).__name__
    print_status(f"  {kind}")
    return Problem(
        code="bug",
        message=f"bug in harbor-agent: {kind} in {frames[-1].name}, line {frames[-1].lineno}",
        hint="report the lines on standard error; run the same command again to check the nodes",
    )


def _describe_interruption(message: str, hint: str) -> Problem:
    return Problem(code="interrupted", message=message, hint=hint)


def _terminate(output: object, hint: str) -> NoReturn:
    FOOTER.remove()
    print_status(f"terminated; {hint}")
    raise SystemExit(int(_end(ExitCode.TERMINATED, _describe_interruption("terminated", hint), output)))

"""The exit code that an exception ends the process with."""

from __future__ import annotations

import typer

from harbor_agent.errors import AgentError, ExitCode


def find_exit_code(error: BaseException) -> ExitCode:
    """Return the exit code that `command` ends the process with."""
    match error:
        case AgentError():
            return error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return ExitCode.INTERRUPTED
        case SystemExit():
            return ExitCode.TERMINATED
        case _:
            return ExitCode.BUG

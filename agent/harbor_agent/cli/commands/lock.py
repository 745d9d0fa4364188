"""harbor-agent lock show | release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_result
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.engine.history.lock import LockState

app = command_app(
    no_args_is_help=True,
    help="Show or release the lock that keeps two runs apart.",
    epilog=format_examples("harbor-agent lock show", "harbor-agent lock release"),
)


@app.command("show", epilog=format_examples("harbor-agent lock show"))
@command
def show() -> ExitCode:
    """Show the run that holds the lock, or was killed with it."""
    from harbor_agent.engine.history.lock import read_lock_state

    print_result(_describe_lock(read_lock_state()))
    return ExitCode.DONE


@app.command("release", epilog=format_examples("harbor-agent lock release", "harbor-agent lock release --yes"))
@command
def release(*, yes: options.UnusedYes = False) -> ExitCode:  # noqa: ARG001 - see its help
    """Clear the entry of a killed run; a live run keeps the lock."""
    from harbor_agent.engine.history.lock import release_lock

    print_result(f"Lock: released; before: {_describe_lock(release_lock())}")
    return ExitCode.DONE


def _describe_lock(state: LockState) -> str:
    if state.held:
        return f"held by {state.holder or 'another run (holder unknown)'}"
    if state.holder:
        return f"free; a killed run left its entry: {state.holder}"
    return "free"

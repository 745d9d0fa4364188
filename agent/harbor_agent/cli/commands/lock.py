"""harbor-agent lock show | release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import write
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.engine.history.lock import LockState

app = options.command_app(no_args_is_help=True, help="The lock that keeps runs apart; for a killed run.")


@app.command("show")
@command
def show() -> ExitCode:
    """Tell who holds the lock, or whose run was killed while it held it."""
    from harbor_agent.engine.history.lock import lock_state

    write(_text(lock_state()))
    return ExitCode.DONE


@app.command("release")
@command
def release() -> ExitCode:
    """Forget the run that was killed while it held the lock; a run that is alive keeps it."""
    from harbor_agent.engine.history.lock import release_lock

    write(f"released; before: {_text(release_lock())}")
    return ExitCode.DONE


def _text(state: LockState) -> str:
    if state.held:
        return f"held by {state.holder or 'a run that left no word who'}"
    if state.holder:
        return f"free; left by a run that was killed: {state.holder}"
    return "free"

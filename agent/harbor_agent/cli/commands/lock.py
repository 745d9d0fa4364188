"""harbor-agent lock show | release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_result
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import describe
from harbor_agent.errors import ExitCode
from harbor_agent.language.current import translate

if TYPE_CHECKING:
    from harbor_agent.engine.history.lock import LockState

app = command_app(
    no_args_is_help=True,
    help="Show or release the lock that keeps two runs apart.",
    epilog=format_examples("harbor-agent lock show", "harbor-agent lock release"),
)


@app.command("show", epilog=format_examples("harbor-agent lock show", "harbor-agent lock show --kubeconfig admin.conf"))
@command
@describe(kubeconfig="Also show the runs of other machines that hold the lock of this kubeconfig's cluster.")
def show(*, kubeconfig: options.Kubeconfig = None, context: options.Context = None) -> ExitCode:
    """Show the runs that hold a lock, or were killed with it."""
    from harbor_agent.engine.history.lock import list_lock_states

    known = [state for state in list_lock_states() if state.held or state.holder]
    print_result("\n".join(translate(_describe_lock(state)) for state in known) or translate("free"))
    if kubeconfig is not None or context is not None:
        from harbor_agent.engine.locks.cluster import list_claims

        claims = list_claims(kubeconfig, context)
        print_result(
            "\n".join(translate(f"cluster: held by {claim}, renewed {claim.renewed}") for claim in claims)
            or "cluster: free"
        )
    return ExitCode.DONE


@app.command("release", epilog=format_examples("harbor-agent lock release", "harbor-agent lock release --yes"))
@command
def release(*, yes: options.UnusedYes = False) -> ExitCode:  # noqa: ARG001 - see its help
    """Clear the entries of killed runs; a live run keeps its lock."""
    from harbor_agent.engine.history.lock import release_locks

    before = "; ".join(map(_describe_lock, release_locks())) or translate("free")
    print_result(f"Lock: released; before: {before}")
    return ExitCode.DONE


def _describe_lock(state: LockState) -> str:
    if state.held:
        return f"held by {state.holder or 'another run (holder unknown)'}"
    return f"free; a killed run left its entry: {state.holder}"

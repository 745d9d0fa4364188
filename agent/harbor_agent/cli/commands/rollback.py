"""harbor-agent rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import AcceptRestart, confirm_plan, finish
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

app = options.command_app()

RunName = Annotated[
    str | None, typer.Argument(help="The run to take back, as its last line named it.", metavar="[RUN]")
]
NodeName = Annotated[
    list[str] | None, typer.Option("--node", help="Take back this node's last change; repeatable.", metavar="NAME")
]
Pristine = Annotated[bool, typer.Option("--pristine", help="Back to what was found before the very first change.")]


@app.command(
    epilog=options.examples(
        "harbor-agent rollback 20261124T060906Z-fe14 -i inventory.ini",
        "harbor-agent rollback --node node7 -i inventory.ini",
        "harbor-agent rollback --pristine -i inventory.ini --limit node7",
    )
)
@command
def rollback(
    run: RunName = None,
    *,
    node: NodeName = None,
    pristine: Pristine = False,
    nodes: options.NodeOptions,
    config: options.Config = None,
    accept_restart: AcceptRestart = False,
    drain: options.Drain = False,
    note: options.Note = "",
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Take a change back: a run, a node's last change, or all there ever was. Shows the diff and asks first.

    The way back is carried out like any other change: checked before, proven after, and put back if it fails.
    """
    from harbor_agent.engine.plan.run_plan import refuse_unconsented_restarts
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.rollback import plan_rollback
    from harbor_agent.engine.rollout.run import apply_run

    limit = ",".join(node) if node else nodes.limit
    request = RunRequest(selection=replace(build_selection(nodes), limit=limit), config=config, note=note, drain=drain)
    progress = Progress(verbose)
    what = _what(run, node, nodes.limit, pristine=pristine)
    run_plan = plan_rollback(request, what, progress)
    if not accept_restart:
        run_plan = refuse_unconsented_restarts(run_plan)
    confirm_plan(run_plan.nodes, None, yes=yes)
    with graceful_stop() as stop:
        return finish(apply_run(run_plan, progress, stop), output)


def _what(run: str | None, node: list[str] | None, limit: str | None, *, pristine: bool) -> str:
    """Return what to go back to. Raises UsageError unless just one way was named."""
    if sum((run is not None, pristine, bool(node) and not pristine)) != 1 or (node and limit):
        raise UsageError.of("flags-ambiguous", "what is to be taken back?", "name a RUN, or --node NAME, or --pristine")
    if run is not None:
        return run
    return "pristine" if pristine else "last"

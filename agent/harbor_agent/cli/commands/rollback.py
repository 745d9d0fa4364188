"""harbor-agent rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import After, confirm_plan, print_report
from harbor_agent.cli.completion import complete_node, complete_run
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LockTimeout, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput
from harbor_agent.cli.request import build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

app = command_app()

RunName = Annotated[
    str | None,
    typer.Argument(
        help="Run to roll back, as `history` or its last line names it.", metavar="[RUN]", autocompletion=complete_run
    ),
]
NodeName = Annotated[
    list[str] | None,
    build_option(
        Panel.PLAN,
        "--node",
        "Roll back the last change of this node; repeatable.",
        metavar="NAME",
        autocompletion=complete_node,
    ),
]
Pristine = Annotated[
    bool, build_option(Panel.PLAN, "--pristine", "Restore the state from before the very first change.")
]


@app.command(
    epilog=format_examples(
        "harbor-agent rollback 20261124T060906Z-fe14 -i inventory.ini",
        "harbor-agent rollback --node node7 -i inventory.ini",
        "harbor-agent rollback --pristine -i inventory.ini --limit node7",
    )
)
@command
@describe(note="Reason for the rollback; kept in the history and the report.")
def rollback(
    run: RunName = None,
    *,
    node: NodeName = None,
    pristine: Pristine = False,
    nodes: NodeOptions,
    config: options.Config = None,
    accept_restart: options.AcceptRestart = False,
    accept_unproven: options.AcceptUnproven = False,
    drain: options.Drain = False,
    lock_timeout: LockTimeout = 0.0,
    note: options.Note = "",
    after: After = None,
    notify: Notify = None,
    yes: options.Yes = False,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Roll back a run, a node's last change, or every change.

    Shows the diff and asks for confirmation. A rollback is a change like any other: it is checked before, verified
    after, and undone if it fails.
    """
    from harbor_agent.engine.plan.run_plan import refuse_unconsented_restarts
    from harbor_agent.engine.reports.canary import require_canary, require_report
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.rollback import plan_rollback
    from harbor_agent.engine.rollout.run import apply_run
    from harbor_agent.model.runs import RunKind

    limit = ",".join(node) if node else nodes.limit
    request = RunRequest(selection=replace(build_selection(nodes), limit=limit), config=config, note=note, drain=drain)
    require_report(request.selection.shard, after, RunKind.ROLLBACK)
    progress = Progress(verbose)
    subject = _choose_subject(run, node, nodes.limit, pristine=pristine)
    with Notifier("rollback", notify, request.selection.sources, config) as notifier:
        run_plan = require_canary(plan_rollback(request, subject, progress), after)
        if not accept_restart:
            run_plan = refuse_unconsented_restarts(run_plan)
        run_plan = replace(run_plan, accepts_unproven=accept_unproven, lock_timeout=lock_timeout)
        confirm_plan(run_plan.nodes, None, run_plan.dns, yes=yes)
        with graceful_stop() as stop:
            report = notifier.notify(apply_run(run_plan, progress, stop))
    return print_report(report, output, run_plan.nodes)


def _choose_subject(run: str | None, node: list[str] | None, limit: str | None, *, pristine: bool) -> str:
    """Return the run, "last" or "pristine". Raises UsageError unless exactly one of them was given."""
    if sum((run is not None, pristine, bool(node) and not pristine)) != 1 or (node and limit):
        raise UsageError.of(
            "flags-ambiguous", "cannot choose the change to roll back", "give one of RUN, --node NAME or --pristine"
        )
    if run is not None:
        return run
    return "pristine" if pristine else "last"

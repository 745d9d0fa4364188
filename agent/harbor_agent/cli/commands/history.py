"""harbor-agent history, history show, history node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.completion import complete_past_node, complete_run
from harbor_agent.cli.console import print_json, print_result, print_table
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.runs import PastRun

app = command_app()

RunName = Annotated[
    str,
    typer.Argument(help="Run, as the first column of `history` names it.", metavar="RUN", autocompletion=complete_run),
]
NodeName = Annotated[
    str, typer.Argument(help="Node, as the inventory names it.", metavar="NODE", autocompletion=complete_past_node)
]


@app.callback(
    invoke_without_command=True,
    epilog=format_examples(
        "harbor-agent history",
        "harbor-agent history show 20261124T060906Z-fe14",
        "harbor-agent history node node7",
    ),
)
@command
def history(*, subcommand: typer.Context, output: options.Output = options.Format.TEXT) -> ExitCode | None:
    """List the runs that changed nodes from this controller.

    Newest first, each with user, time, note and the outcome on its nodes.
    """
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.history.query import load_runs
    from harbor_agent.views.text.history import count_earlier_runs, tabulate_runs

    runs = load_runs()
    if output is options.Format.JSON:
        _print_document(runs)
        return ExitCode.DONE
    if runs:
        print_table(tabulate_runs(runs))
    if more := count_earlier_runs(runs):
        print_result(more)
    return ExitCode.DONE


@app.command(
    "show",
    epilog=format_examples(
        "harbor-agent history show 20261124T060906Z-fe14",
        "harbor-agent history show 20261124T060906Z-fe14 -o json",
    ),
)
@command
def show(run: RunName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show one run: its request, and the outcome on each node."""
    from harbor_agent.engine.history.query import load_run
    from harbor_agent.views.text.history import run_text

    found = load_run(run)
    if output is options.Format.JSON:
        _print_document([found])
    else:
        print_result(run_text(found))
    return ExitCode.DONE


@app.command(
    "node",
    epilog=format_examples("harbor-agent history node node7", "harbor-agent history node node7 -o json"),
)
@command
def node(name: NodeName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show the outcome of every run on one node, newest first."""
    from harbor_agent.engine.history.query import load_runs
    from harbor_agent.views.text.history import tabulate_node

    runs = load_runs(name)
    if output is options.Format.JSON:
        _print_document(runs)
    else:
        print_table(tabulate_node(runs))
    return ExitCode.DONE


def _print_document(runs: Sequence[PastRun]) -> None:
    from harbor_agent.views.json.history import build_runs_document

    print_json(build_runs_document(runs))

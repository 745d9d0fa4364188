"""harbor-agent history, history show, history node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import write, write_json
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.runs import PastRun

app = options.command_app()

RunName = Annotated[str, typer.Argument(help="The run, as the first column of history names it.", metavar="RUN")]
NodeName = Annotated[str, typer.Argument(help="The node, as the inventory names it.", metavar="NODE")]


@app.callback(
    invoke_without_command=True,
    epilog=options.examples(
        "harbor-agent history",
        "harbor-agent history show 20261124T060906Z-fe14",
        "harbor-agent history node node7",
    ),
)
@command
def history(*, subcommand: typer.Context, output: options.Output = options.Format.TEXT) -> ExitCode | None:
    """List the runs that changed nodes from here, newest first: who, when, why, and what became of the nodes."""
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.history.query import load_runs
    from harbor_agent.views.text.history import runs_text

    runs = load_runs()
    _print(runs, runs_text(runs), output)
    return ExitCode.DONE


@app.command("show", epilog=options.examples("harbor-agent history show 20261124T060906Z-fe14"))
@command
def show(run: RunName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show one run: what was asked for, and each node's end."""
    from harbor_agent.engine.history.query import load_run
    from harbor_agent.views.text.history import run_text

    found = load_run(run)
    _print([found], run_text(found), output)
    return ExitCode.DONE


@app.command("node", epilog=options.examples("harbor-agent history node node7"))
@command
def node(name: NodeName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show what became of one node, run by run, newest first."""
    from harbor_agent.engine.history.query import load_runs
    from harbor_agent.views.text.history import node_text

    runs = load_runs(name)
    _print(runs, node_text(runs), output)
    return ExitCode.DONE


def _print(runs: Sequence[PastRun], text: str, output: options.Format) -> None:
    from harbor_agent.views.json.history import build_runs_document

    if output is options.Format.JSON:
        write_json(build_runs_document(runs))
    else:
        write(text)

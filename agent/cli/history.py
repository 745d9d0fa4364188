"""harbor-agent history, history show, history node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import write, write_json
from agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model.history import PastRun

app = options.program_part()

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
@guarded
def history(*, subcommand: typer.Context, output: options.Output = options.Format.TEXT) -> ExitCode | None:
    """List the runs that changed nodes from here, newest first: who, when, why, and what became of the nodes."""
    if subcommand.invoked_subcommand:
        return None
    from agent.cli.history_text import runs_text
    from agent.engine.history import load_runs

    runs = load_runs()
    _print(runs, runs_text(runs), output)
    return ExitCode.DONE


@app.command("show", epilog=options.examples("harbor-agent history show 20261124T060906Z-fe14"))
@guarded
def show(run: RunName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show one run: what was asked for, and each node's end."""
    from agent.cli.history_text import run_text
    from agent.engine.history import load_run

    found = load_run(run)
    _print([found], run_text(found), output)
    return ExitCode.DONE


@app.command("node", epilog=options.examples("harbor-agent history node node7"))
@guarded
def node(name: NodeName, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show what became of one node, run by run, newest first."""
    from agent.cli.history_text import node_text
    from agent.engine.history import load_runs

    runs = load_runs(name)
    _print(runs, node_text(runs), output)
    return ExitCode.DONE


def _print(runs: Sequence[PastRun], text: str, output: options.Format) -> None:
    from agent.engine.documents.history import runs_document

    if output is options.Format.JSON:
        write_json(runs_document(runs))
    else:
        write(text)

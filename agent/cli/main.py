"""The program: its commands, and how it starts and ends."""

from __future__ import annotations

import gc
import sys
from itertools import pairwise
from typing import cast

import typer
from typer.core import TyperGroup

from agent import __version__
from agent.cli import (
    apply,
    drift,
    explain,
    history,
    lock,
    plan,
    render,
    rollback,
    schedule,
    secret,
    trust_hosts,
    verify,
    workloads,
)
from agent.cli.options import examples
from agent.errors import ExitCode, Problem

# Where this class lives differs between the versions of typer; BadParameter is one of its kinds in all of them.
_CommandLineError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
_OBJECTS_BETWEEN_COLLECTIONS = 250_000


class _InOrder(TyperGroup):
    """Lists the commands in the order in which they are used, groups among them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer hides its base
        """Return their names."""
        order = (
            "render",
            "plan",
            "apply",
            "verify",
            "drift",
            "schedule",
            "rollback",
            "history",
            "secret",
            "workloads",
            "trust-hosts",
            "lock",
            "explain",
        )
        return sorted(super().list_commands(ctx), key=order.index)


app = typer.Typer(
    name="harbor-agent",
    cls=_InOrder,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Make every node of a cluster trust a plain-HTTP Harbor, and give the cluster its pull secret.\n\n"
        "plan shows the exact diff of every file and changes nothing; apply asks, changes the nodes wave by wave, "
        "proves each by a real pull and puts back what fails.\n\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 3 changes pending, 4 unreachable, 5 refused, 6 a node needs a person, "
        "7 stopped early."
    ),
    epilog=examples(
        "harbor-agent plan  -i inventory.ini --registry 192.168.0.99",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
    ),
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"harbor-agent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Take the options that stand before the command."""


app.command("render", epilog=examples("harbor-agent render --registry 192.168.0.99"))(render.render)
app.command(
    "apply",
    epilog=examples(
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --absent",
        "harbor-agent apply change.plan",
        "harbor-agent apply --root ./image-tree --registry 192.168.0.99 --yes",
    ),
)(apply.apply)
app.command(
    "verify",
    epilog=examples("harbor-agent verify -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9"),
)(verify.verify)
app.command(
    "rollback",
    epilog=examples(
        "harbor-agent rollback 20261124T060906Z-fe14 -i inventory.ini",
        "harbor-agent rollback --node node7 -i inventory.ini",
        "harbor-agent rollback --pristine -i inventory.ini --limit node7",
    ),
)(rollback.rollback)
app.add_typer(plan.app, name="plan")
app.add_typer(drift.app, name="drift")
app.add_typer(schedule.app, name="schedule")
app.add_typer(history.app, name="history")
app.add_typer(secret.app, name="secret")
app.add_typer(workloads.app, name="workloads")
app.command("trust-hosts", epilog=examples("harbor-agent trust-hosts -i inventory.ini"))(trust_hosts.trust_hosts)
app.add_typer(lock.app, name="lock")
app.command("explain", epilog=examples("harbor-agent explain host-key-unknown", "harbor-agent explain"))(
    explain.explain
)


def main() -> None:
    """Run the command line; ends the process with the exit code of the contract."""
    # The libraries make a hundred thousand objects, and they stay: looking for cycles among them again and again would
    # be a twelfth of a plan's CPU time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        sys.exit(app(standalone_mode=False))
    except _CommandLineError as error:
        error.show()
        if _asks_for_json(sys.argv[1:]):
            _print_usage_error(error.format_message())
        sys.exit(ExitCode.USAGE)


def _asks_for_json(arguments: list[str]) -> bool:
    """Whether JSON was asked for on a command line that cannot be read as a whole."""
    joined = not {"-ojson", "--output=json"}.isdisjoint(arguments)
    return joined or any(pair in {("-o", "json"), ("--output", "json")} for pair in pairwise(arguments))


def _print_usage_error(message: str) -> None:
    from agent.cli.output import write_json
    from agent.engine.documents.error import error_document

    problem = Problem(code="usage", message=message, hint="--help lists what there is")
    write_json(error_document(problem, ExitCode.USAGE))

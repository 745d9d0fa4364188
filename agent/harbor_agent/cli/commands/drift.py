"""harbor-agent drift, and drift release."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import AcceptRestart, confirm_plan
from harbor_agent.cli.console import write, write_json
from harbor_agent.cli.metrics import Measurement
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.errors import Problem

app = options.command_app()

Correct = Annotated[
    bool, typer.Option("--correct", help="Bring nodes back to what a person applied before; asks first.")
]
MaxNodes = Annotated[
    int | None,
    typer.Option(
        "--max-nodes",
        min=1,
        help="How many nodes one run corrects at most.",
        show_default="drift.max_nodes, or 3",
        metavar="N",
    ),
]


MaxDrifted = Annotated[
    str | None,
    typer.Option(
        "--max-drifted",
        help="Where more drifted at once, nothing is corrected: a number or a percentage.",
        show_default="drift.max_drifted, or 30%",
        metavar="N|P%",
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        help="Also write what was found for Prometheus' textfile collector; FILE ends in .prom.",
        metavar="FILE",
    ),
]
NodeName = Annotated[str, typer.Argument(help="The node, as the inventory names it.", metavar="NODE")]


@app.callback(
    invoke_without_command=True,
    epilog=options.examples(
        "harbor-agent drift -i inventory.ini",
        "harbor-agent drift -i inventory.ini --correct --yes",
        "harbor-agent drift release node7",
    ),
)
@command
def drift(
    *,
    subcommand: typer.Context,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    route: options.RouteOption = None,
    verify_image: options.VerifyImage = None,
    correct: Correct = False,
    max_nodes: MaxNodes = None,
    max_drifted: MaxDrifted = None,
    live_restore: options.LiveRestore = False,
    accept_restart: AcceptRestart = False,
    metrics: Metrics = None,
    note: options.Note = "",
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode | None:
    """Tell whether nodes are still as runs of this tool left them, and name each file and registry that is not.

    What is on a node is held against the record that the node keeps, and that against what is wanted today. A node
    without a record is unmanaged. Ends with 3 where something is to be done.
    """
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.drift.detect import detect_drift
    from harbor_agent.engine.drift.metrics import metrics_file
    from harbor_agent.engine.request.request import RunRequest

    progress = Progress(verbose)
    with Measurement(metrics_file(metrics) if metrics else None) as measurement:
        limits = {"max_nodes": max_nodes, "max_drifted": _amount(max_drifted) if max_drifted is not None else None}
        flags = replace(build_flags(login), route=route, verify_image=verify_image)
        request = RunRequest(
            selection=build_selection(nodes), flags=flags, config=login.config, note=note, live_restore=live_restore
        )
        report = detect_drift(request, progress)
        measurement.saw(report)
        if not correct:
            return _finish(measurement, report, report.exit_code, output)
        given = {name: value for name, value in limits.items() if value is not None}
        return _correct(measurement, report, given, progress, output, accept_restart=accept_restart, yes=yes)


@app.command("release", epilog=options.examples("harbor-agent drift release node7"))
@command
def release(node: NodeName) -> ExitCode:
    """Let a node out of quarantine: it is corrected again, and what was corrected there before is forgotten."""
    from harbor_agent.engine.drift.correct import release as let_out

    found = let_out(node)
    write(f"released {node}, in quarantine since {found.since}: {found.reason}")
    return ExitCode.DONE


def _amount(text: str) -> int | str:
    """Read a number, or a percentage. Raises UsageError."""
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdecimal()):
        message = f"--max-drifted: '{text}' is neither a number nor a percentage"
        raise UsageError.of("usage", message, "write a number such as 5, or a percentage such as 30%")
    return text if text.endswith("%") else int(text)


def _correct(
    measurement: Measurement,
    report: DriftReport,
    limits: dict[str, int | str],
    progress: Progress,
    output: options.Format,
    *,
    accept_restart: bool,
    yes: bool,
) -> ExitCode:
    from harbor_agent.engine.drift.correct import choose_corrections, correct, correction_exit_code

    allowed = replace(report.general.drift, **limits)  # type: ignore[arg-type]  # each is of its option's type
    corrections = choose_corrections(report, allowed, accept_restart=accept_restart)
    measurement.saw(corrections.report)
    ended = None
    if corrections.chosen:
        confirm_plan([node.planned for node in corrections.chosen], None, yes=yes)
        with graceful_stop() as stop:
            ended = correct(corrections, progress, stop)
    code = correction_exit_code(corrections, ended)
    return _finish(measurement, corrections.report, code, output, ended=ended, blocked_by=corrections.blocked_by)


def _finish(
    measurement: Measurement,
    report: DriftReport,
    code: ExitCode,
    output: options.Format,
    *,
    ended: Report | None = None,
    blocked_by: Problem | None = None,
) -> ExitCode:
    from harbor_agent.views.json.drift import build_drift_document
    from harbor_agent.views.text.drift import drift_text

    told = measurement.ended(report, code, ended)
    report = replace(report, warnings=(*report.warnings, *told))
    if output is options.Format.JSON:
        write_json(build_drift_document(report, int(code), ended, blocked_by))
    else:
        write(drift_text(report, ended, blocked_by))
    return code

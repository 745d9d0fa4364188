"""harbor-agent drift, and drift release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import confirm_plan
from harbor_agent.cli.completion import complete_past_node
from harbor_agent.cli.console import print_result
from harbor_agent.cli.ending.metrics import Measurement
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LockTimeout, LoginOptions, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_in_format
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from harbor_agent.engine.drift.correct import Corrections
    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.errors import Problem

app = command_app()

Correct = Annotated[
    bool,
    build_option(
        Panel.RUN, "--correct", "Restore drifted nodes to the settings applied to them; asks for confirmation."
    ),
]
MaxNodes = Annotated[
    int | None,
    build_option(
        Panel.RUN,
        "--max-nodes",
        "Maximum number of nodes to correct in one run.",
        min=1,
        show_default="drift.max_nodes, or 3",
        metavar="N",
    ),
]
MaxDrifted = Annotated[
    str | None,
    build_option(
        Panel.RUN,
        "--max-drifted",
        "Correct no node if more nodes than this drifted, and no pull secret if more of them did.",
        show_default="drift.max_drifted, or 30%",
        metavar="N|P%",
    ),
]
Metrics = Annotated[
    str | None,
    build_option(
        Panel.OUTPUT,
        "--metrics",
        "Also write metrics for Prometheus' textfile collector; FILE ends in .prom.",
        metavar="FILE",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is done with the result of a check: metrics, a notification, and the report."""

    measurement: Measurement
    notifier: Notifier
    output: ReportFormat


NodeName = Annotated[
    str, typer.Argument(help="Node, as the inventory names it.", metavar="NODE", autocompletion=complete_past_node)
]


@app.callback(
    invoke_without_command=True,
    epilog=format_examples(
        "harbor-agent drift -i inventory.ini",
        "harbor-agent drift -i inventory.ini --correct --yes",
        "harbor-agent drift release node7",
    ),
)
@command
@describe(
    registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.",
    username="User that the nodes pull the image with after a correction.",
    verify_image="Image that every corrected node pulls to verify it.",
    route="Route to compare and correct with: drop-in, daemon.json, or decided per node.",
    live_restore="Enable Docker's live-restore before a correction that would stop containers.",
    note="Reason for the correction; kept in the history.",
    yes="Skip confirmation of --correct. Required when not running on a terminal.",
)
def drift(
    *,
    subcommand: typer.Context,
    nodes: NodeOptions,
    login: LoginOptions,
    route: options.RouteOption = None,
    verify_image: options.VerifyImage = None,
    correct_nodes: Correct = False,
    max_nodes: MaxNodes = None,
    max_drifted: MaxDrifted = None,
    live_restore: options.LiveRestore = False,
    accept_restart: options.AcceptRestart = False,
    allow_unreachable_registry: options.AllowUnreachableRegistry = False,
    metrics: Metrics = None,
    notify: Notify = None,
    lock_timeout: LockTimeout = 0.0,
    note: options.Note = "",
    yes: options.Yes = False,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode | None:
    """Report nodes that differ from what was applied to them.

    Compares each node with its record of the last run, and that record with the current settings. Nodes without a
    record are unmanaged. Pull secrets are compared with what was applied from here. Exits with 3 if anything has to be
    done.
    """
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.drift.correct import choose_corrections
    from harbor_agent.engine.drift.detect import detect_drift
    from harbor_agent.engine.drift.metrics.file import parse_metrics_path
    from harbor_agent.engine.request.request import RunRequest

    progress = Progress(verbose)
    file = parse_metrics_path(metrics) if metrics else None
    sources = tuple(nodes.inventory or ())
    with Measurement(file) as measurement, Notifier("drift", notify, sources, login.config) as notifier:
        watched = Watched(measurement=measurement, notifier=notifier, output=output)
        limits = {
            "max_nodes": max_nodes,
            "max_drifted": _parse_amount(max_drifted) if max_drifted is not None else None,
        }
        flags = replace(build_flags(login), route=route, verify_image=verify_image)
        request = RunRequest(
            selection=build_selection(nodes), flags=flags, config=login.config, note=note, live_restore=live_restore
        )
        report = detect_drift(request, progress, correcting=correct_nodes)
        measurement.record(report)
        if not correct_nodes:
            return _finish(watched, report, report.exit_code)
        limits_given = {name: value for name, value in limits.items() if value is not None}
        allowed = replace(report.general.drift, **limits_given)  # type: ignore[arg-type]  # each is of its option's type
        corrections = choose_corrections(
            report,
            allowed,
            accept_restart=accept_restart,
            allow_unreachable_registry=allow_unreachable_registry,
        )
        return _correct(watched, replace(corrections, lock_timeout=lock_timeout), progress, yes=yes)


@app.command("release", epilog=format_examples("harbor-agent drift release node7"))
@command
def release(node: NodeName, *, yes: options.UnusedYes = False) -> ExitCode:  # noqa: ARG001 - see its help
    """Release a node from quarantine.

    The node is corrected again when it drifts; its earlier corrections no longer count.
    """
    from harbor_agent.engine.drift.correct import release_node

    found = release_node(node)
    print_result(f"released {node}; it was in quarantine since {found.since}: {found.reason}")
    return ExitCode.DONE


def _parse_amount(text: str) -> int | str:
    """Parse a number or a percentage. Raises UsageError."""
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdecimal()):
        message = f"--max-drifted: '{text}' is neither a number nor a percentage"
        raise UsageError.of("usage", message, "give a number such as 5, or a percentage such as 30%")
    return text if text.endswith("%") else int(text)


def _correct(watched: Watched, corrections: Corrections, progress: Progress, *, yes: bool) -> ExitCode:
    from harbor_agent.engine.drift.correct import correct_nodes
    from harbor_agent.engine.drift.exit_code import compute_correction_exit_code

    watched.measurement.record(corrections.report)
    ended = None
    if corrections.chosen or corrections.dns or corrections.secrets:
        secrets = corrections.secrets.report if corrections.secrets else None
        confirm_plan([node.planned for node in corrections.chosen], secrets, corrections.dns, yes=yes)
        with graceful_stop() as stop:
            ended = correct_nodes(corrections, progress, stop)
    code = compute_correction_exit_code(corrections, ended)
    return _finish(watched, corrections.report, code, ended=ended, blocked_by=corrections.blocked_by)


def _finish(
    watched: Watched,
    report: DriftReport,
    code: ExitCode,
    *,
    ended: Report | None = None,
    blocked_by: Problem | None = None,
) -> ExitCode:
    from harbor_agent.views.json.drift import build_drift_document
    from harbor_agent.views.outline.drift import outline_drift
    from harbor_agent.views.text.drift import drift_text

    warnings = watched.measurement.finish(report, code, ended)
    report = replace(report, warnings=(*report.warnings, *warnings))
    report = watched.notifier.notify_drift(report, code, ended, blocked_by)
    print_in_format(
        watched.output,
        document=lambda: build_drift_document(report, int(code), ended, blocked_by),
        text=lambda: drift_text(report, ended, blocked_by),
        outline=lambda: outline_drift(report, code, ended, blocked_by),
    )
    return code

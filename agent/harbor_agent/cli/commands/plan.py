"""harbor-agent plan, and plan show."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, NodeOptions, PlanOptions, SecretOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_in_format
from harbor_agent.cli.request import build_request
from harbor_agent.errors import ExitCode, UsageError

app = command_app()

Out = Annotated[
    str | None,
    build_option(
        Panel.PLAN, "--out", "Also write a plan file for `apply FILE`: hashes, no file contents.", metavar="FILE"
    ),
]
WithDiffs = Annotated[
    bool,
    build_option(
        Panel.PLAN, "--with-diffs", "Keep the diffs in the plan file, secrets masked, for those who approve it."
    ),
]
ValidHours = Annotated[
    float, build_option(Panel.PLAN, "--valid-hours", "How long the plan file is valid.", metavar="HOURS", min=0.0)
]
PlanFilePath = Annotated[str, typer.Argument(help="Plan file written by `plan --out`.", metavar="FILE")]


@app.callback(
    invoke_without_command=True,
    epilog=format_examples(
        "harbor-agent plan -i inventory.ini --registry 192.168.0.99",
        "harbor-agent plan -i inventory.ini --limit node1 --exit-code",
        "harbor-agent plan -i inventory.ini --out change.plan --with-diffs",
    ),
)
@command
@describe(
    username="User at the registry; `apply` checks it there first.",
    verify_image="Image that every node pulls to verify the registry when the plan is applied.",
    note="Reason for the change; kept in the plan file and in the report of `apply`.",
    force_conflicts="Plan to overwrite fields of the secret that other programs manage.",
)
def plan(
    *,
    subcommand: typer.Context,
    nodes: NodeOptions,
    login: LoginOptions,
    plan_options: PlanOptions,
    verify_image: options.VerifyImage = None,
    secret: SecretOptions,
    live_restore: options.LiveRestore = False,
    out: Out = None,
    with_diffs: WithDiffs = False,
    valid_hours: ValidHours = 24.0,
    note: options.Note = "",
    exit_code: options.ExitCodeFlag = False,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode | None:
    """Show the exact changes on every node; change nothing.

    The desired state comes from the options and from harbor-agent.yaml.
    """
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.exit_codes import compute_plan_exit_code
    from harbor_agent.engine.plan.run_plan import note_objections, plan_run
    from harbor_agent.views.json.plan import build_plan_document
    from harbor_agent.views.outline.plan import outline_plan
    from harbor_agent.views.text.plan import plan_text

    if with_diffs and out is None:
        raise UsageError.of("flags-ambiguous", "--with-diffs is for a plan file", "add --out FILE")
    request = replace(
        build_request(nodes, login, plan_options, secret, verify_image), note=note, live_restore=live_restore
    )
    run_plan = note_objections(plan_run(request, Progress(verbose)))
    code = compute_plan_exit_code(run_plan.nodes, run_plan.secrets, pending=exit_code, dns=run_plan.dns)
    if out is not None:
        from harbor_agent.engine.plan.file import save_plan_file

        save_plan_file(run_plan, out, hours=valid_hours, with_diffs=with_diffs)
    print_in_format(
        output,
        document=lambda: build_plan_document(run_plan, int(code)),
        text=lambda: plan_text(
            run_plan.nodes, run_plan.secrets, run_plan.warnings, run_plan.dns, is_verbose=bool(verbose)
        ),
        outline=lambda: outline_plan(run_plan, code, counts_pending=exit_code),
    )
    if out is not None:
        print_status(f"plan written to {out}, valid for {valid_hours:g} hours; to apply it: harbor-agent apply {out}")
    return code


@app.command(
    "show",
    epilog=format_examples("harbor-agent plan show change.plan", "harbor-agent plan show change.plan -o json"),
)
@command
def show(file: PlanFilePath, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show a plan file: its validity, and diffs or hashes."""
    from harbor_agent.engine.plan.file import read_plan_file
    from harbor_agent.views.json.plan_file import build_plan_file_document
    from harbor_agent.views.text.plan_file import plan_file_text

    plan_file = read_plan_file(file)
    if output is options.Format.JSON:
        print_json(build_plan_file_document(plan_file))
    else:
        print_result(plan_file_text(plan_file))
    return ExitCode.DONE

"""harbor-agent plan, and plan show."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_request
from harbor_agent.errors import ExitCode

app = options.command_app()

ExitCodeFlag = Annotated[bool, typer.Option("--exit-code", help="End with 3, not 0, where changes are pending.")]
Out = Annotated[
    str | None,
    typer.Option("--out", help="Also write a plan file for 'apply FILE': hashes, no contents.", metavar="FILE"),
]
ValidHours = Annotated[
    float, typer.Option("--valid-hours", min=0.0, help="How long the plan file may be applied.", metavar="HOURS")
]
PlanFilePath = Annotated[str, typer.Argument(help="A file that plan --out wrote.", metavar="FILE")]


@app.callback(
    invoke_without_command=True,
    epilog=options.examples(
        "harbor-agent plan -i inventory.ini --registry 192.168.0.99",
        "harbor-agent plan -i inventory.ini --limit node1 --exit-code",
        "harbor-agent plan --transport local --registry 192.168.0.99",
        "harbor-agent plan -i inventory.ini --out change.plan",
    ),
)
@command
def plan(
    *,
    subcommand: typer.Context,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    plan_options: options.PlanOptions,
    verify_image: options.VerifyImage = None,
    secret: options.SecretOptions,
    live_restore: options.LiveRestore = False,
    out: Out = None,
    valid_hours: ValidHours = 24.0,
    note: options.Note = "",
    exit_code: ExitCodeFlag = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode | None:
    """Show what would change on every node, as exact diffs, and why. Changes nothing.

    What is to be trusted, proven and put into the cluster stands in options or in harbor-agent.yaml.
    """
    if subcommand.invoked_subcommand:
        return None
    from harbor_agent.engine.exit_codes import plan_exit_code
    from harbor_agent.engine.plan.run_plan import plan_run
    from harbor_agent.views.json.plan import build_plan_document
    from harbor_agent.views.text.plan import plan_text

    request = replace(
        build_request(nodes, login, plan_options, secret, verify_image), note=note, live_restore=live_restore
    )
    run_plan = plan_run(request, Progress(verbose))
    if output is options.Format.JSON:
        write_json(build_plan_document(run_plan.nodes, run_plan.secrets, run_plan.warnings))
    else:
        write(plan_text(run_plan.nodes, run_plan.secrets, run_plan.warnings))
    if out is not None:
        from harbor_agent.engine.plan.file import save_run

        save_run(run_plan, out, hours=valid_hours)
        tell(f"written to {out}; harbor-agent apply {out} does just this, within {valid_hours:g} hours")
    return plan_exit_code(run_plan.nodes, run_plan.secrets, pending=exit_code)


@app.command("show", epilog=options.examples("harbor-agent plan show change.plan"))
@command
def show(file: PlanFilePath, *, output: options.Output = options.Format.TEXT) -> ExitCode:
    """Show what a plan file holds: who is to be changed, which files, and how long it is good for."""
    from harbor_agent.engine.plan.file import load_plan
    from harbor_agent.views.json.plan_file import build_plan_file_document
    from harbor_agent.views.text.plan import plan_file_text

    plan_file = load_plan(file)
    if output is options.Format.JSON:
        write_json(build_plan_file_document(plan_file))
    else:
        write(plan_file_text(plan_file))
    return ExitCode.DONE

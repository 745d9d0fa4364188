"""harbor-agent apply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_request
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.engine.secrets.report import SecretsReport

app = options.command_app()


PlanFilePath = Annotated[
    str | None,
    typer.Argument(
        help="A file that plan --out wrote: just that is done, or refused; it holds the options.", metavar="PLANFILE"
    ),
]

Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        help="Take up a run that halted or was killed, where it stopped; the history has its options.",
        metavar="RUN",
    ),
]

OnlyUnmanaged = Annotated[
    bool,
    typer.Option("--only-unmanaged", help="Only nodes without a record of an earlier run: new or reinstalled ones."),
]

AcceptRestart = Annotated[
    bool, typer.Option("--accept-restart", help="Also stop containers that nothing starts again.")
]


@app.command(
    epilog=options.examples(
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --absent",
        "harbor-agent apply change.plan",
        "harbor-agent apply --root ./image-tree --registry 192.168.0.99 --yes",
    )
)
@command
def apply(
    plan_file: PlanFilePath = None,
    *,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    plan_options: options.PlanOptions,
    verify_image: options.VerifyImage = None,
    secret: options.SecretOptions,
    resume: Resume = None,
    only_unmanaged: OnlyUnmanaged = False,
    live_restore: options.LiveRestore = False,
    accept_restart: AcceptRestart = False,
    drain: options.Drain = False,
    note: options.Note = "",
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Change the nodes as planned, prove each by a real pull, then put the secret into the cluster.

    Shows the plan and asks first. A canary goes first; a node whose daemon does not come up well is put back.
    """
    from harbor_agent.engine.plan.run_plan import refuse_unconsented_restarts, with_drain
    from harbor_agent.engine.rollout.run import apply_run

    request = replace(build_request(nodes, login, plan_options, secret, verify_image), note=note)
    request = replace(request, live_restore=live_restore, only_unmanaged=only_unmanaged)
    progress = Progress(verbose)
    run_plan = _planned(request, plan_file, resume, progress)
    if not accept_restart:
        run_plan = refuse_unconsented_restarts(run_plan)
    if drain:
        run_plan = with_drain(run_plan)
    confirm_plan(run_plan.nodes, run_plan.secrets, yes=yes)
    with graceful_stop() as stop:
        report = apply_run(run_plan, progress, stop)
    code = finish(report, output)
    if report.halted:
        tell(f"harbor-agent apply --resume {report.run_id} takes it up where it halted")
    return code


def _planned(request: RunRequest, plan_file: str | None, resume: str | None, progress: Progress) -> RunPlan:
    """Plan what the options say, or the plan file, or the run that is taken up. Raises UsageError."""
    if plan_file is None and resume is None:
        from harbor_agent.engine.plan.run_plan import plan_run

        return plan_run(request, progress)
    _require_nothing_else(request)
    if resume is None:
        from harbor_agent.engine.plan.file import approved_run

        return approved_run(str(plan_file), request, progress)
    if plan_file is not None:
        raise UsageError.of("flags-ambiguous", "a plan file and a run to take up are two things", "name one of them")
    from harbor_agent.engine.rollout.resume import resume_run

    return resume_run(resume, request, progress)


def _require_nothing_else(request: RunRequest) -> None:
    """Raise UsageError where options say again, and maybe otherwise, what the plan file or the run says already."""
    from harbor_agent.engine.request.request import RunRequest

    rest = replace(request, flags=replace(request.flags, password=None), note="")
    if rest != RunRequest():
        raise UsageError.of(
            "flags-ambiguous",
            "a plan file, or a run to take up, says itself what is to be done",
            "leave the other options out, or start anew",
        )


def finish(report: Report, output: options.Format) -> ExitCode:
    """Print how a run ended; its last line sums up."""
    from harbor_agent.views.json.run import build_run_document
    from harbor_agent.views.text.plan import run_summary, secrets_text, warnings_text

    if output is options.Format.JSON:
        write_json(build_run_document(report))
        return report.exit_code
    if report.secrets is not None:
        write(secrets_text(report.secrets))
    if report.warnings:
        write(warnings_text(report.warnings))
    write(f"{run_summary(report.results, report.halted)} (run {report.run_id})")
    return report.exit_code


def confirm_plan(nodes: Sequence[PlannedNode], secrets: SecretsReport | None, *, yes: bool) -> None:
    """Show the plan on standard error and ask, unless nothing would change. Raises StoppedError for a no."""
    from harbor_agent.model.result import Outcome
    from harbor_agent.views.text.plan import plan_text

    tell(plan_text(nodes, secrets))
    pending = any(node.outcome is Outcome.CHANGE for node in nodes) or (secrets and secrets.status == "change")
    if pending and not yes:
        confirm("Apply this?")

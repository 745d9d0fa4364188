"""harbor-agent apply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options, pod_options
from harbor_agent.cli.command import command
from harbor_agent.cli.completion import complete_run
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LockTimeout, LoginOptions, NodeOptions, PlanOptions, SecretOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_outline
from harbor_agent.cli.request import build_request
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.secrets.report import SecretsReport

app = command_app()

PlanFilePath = Annotated[
    str | None,
    typer.Argument(
        help="Plan file written by `plan --out`. Applies exactly that plan without a question, or refuses if anything"
        " has changed.",
        metavar="PLANFILE",
    ),
]
Resume = Annotated[
    str | None,
    build_option(
        Panel.RUN,
        "--resume",
        "Resume a run that halted or was killed, with the options it was started with.",
        metavar="RUN",
        autocompletion=complete_run,
    ),
]
OnlyUnmanaged = Annotated[
    bool,
    build_option(
        Panel.NODES, "--only-unmanaged", "Only nodes without a record of an earlier run: new or reinstalled ones."
    ),
]

After = Annotated[
    str | None,
    build_option(
        Panel.RUN, "--after", "Report (-o json) of the canary's run; required with --shard.", metavar="RUN.json"
    ),
]


@app.command(
    epilog=format_examples(
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent apply -i inventory.ini --registry 192.168.0.99 --absent",
        "harbor-agent apply change.plan",
    )
)
@command
@describe(username="User at the registry; checked there before any node is changed.")
def apply(
    plan_file: PlanFilePath = None,
    *,
    nodes: NodeOptions,
    login: LoginOptions,
    plan_options: PlanOptions,
    verify_image: options.VerifyImage = None,
    secret: SecretOptions,
    resume: Resume = None,
    only_unmanaged: OnlyUnmanaged = False,
    live_restore: options.LiveRestore = False,
    accept_restart: options.AcceptRestart = False,
    allow_unreachable_registry: options.AllowUnreachableRegistry = False,
    accept_unproven: options.AcceptUnproven = False,
    drain: options.Drain = False,
    prove_with_pods: pod_options.ProveWithPods = False,
    retry_pods: pod_options.RetryPods = False,
    lock_timeout: LockTimeout = 0.0,
    note: options.Note = "",
    after: After = None,
    notify: Notify = None,
    yes: options.Yes = False,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Change the nodes, verify each, then apply the pull secret.

    If a kubeconfig is named, the cluster's DNS gets the names with `resolve` first. Shows the plan and asks for
    confirmation; a plan file has been approved, so nothing is asked. Starts with a canary node, then works in waves. A
    node whose Docker does not run as before after the change is rolled back.
    """
    from harbor_agent.engine.plan.reachability import require_reachable_registries
    from harbor_agent.engine.plan.run_plan import refuse_unconsented_restarts, require_drain, require_pods
    from harbor_agent.engine.reports.canary import require_canary, require_report
    from harbor_agent.engine.rollout.run import apply_run
    from harbor_agent.model.runs import RunKind

    request = replace(build_request(nodes, login, plan_options, secret, verify_image), note=note)
    request = replace(request, live_restore=live_restore, only_unmanaged=only_unmanaged)
    progress = Progress(verbose)
    with Notifier("apply", notify, request.selection.sources, request.config) as notifier:
        require_report(request.selection.shard, after, RunKind.APPLY)
        run_plan = require_canary(_plan(request, plan_file, resume, progress), after)
        notifier.follow(run_plan.request)
        if not accept_restart:
            run_plan = refuse_unconsented_restarts(run_plan)
        if not allow_unreachable_registry:
            require_reachable_registries(run_plan.nodes)
        if drain:
            run_plan = require_drain(run_plan)
        run_plan = replace(run_plan, accepts_unproven=accept_unproven, lock_timeout=lock_timeout)
        run_plan = require_pods(run_plan, prove=prove_with_pods, retry=retry_pods)
        confirm_plan(run_plan.nodes, run_plan.secrets, run_plan.dns, yes=yes or plan_file is not None)
        with graceful_stop() as stop:
            report = notifier.notify(apply_run(run_plan, progress, stop))
    code = print_report(report, output, run_plan.nodes)
    if report.halted:
        print_status(f"to resume the run: harbor-agent apply --resume {report.run_id}")
    return code


def _plan(request: RunRequest, plan_file: str | None, resume: str | None, progress: Progress) -> RunPlan:
    """Plan from the options, from the plan file, or from the run to resume. Raises UsageError."""
    if plan_file is None and resume is None:
        from harbor_agent.engine.plan.run_plan import plan_run

        return plan_run(request, progress, wait=True)
    _check_no_other_options(request)
    if resume is None:
        from harbor_agent.engine.plan.file import plan_approved_run

        return plan_approved_run(str(plan_file), request, progress)
    if plan_file is not None:
        raise UsageError.of("flags-ambiguous", "PLANFILE and --resume cannot be used together", "use one of them")
    from harbor_agent.engine.rollout.resume import resume_run

    return resume_run(resume, request, progress)


def _check_no_other_options(request: RunRequest) -> None:
    """Raise UsageError if there are options that the plan file or the run to resume has already."""
    from harbor_agent.engine.request.request import RunRequest

    rest = replace(request, flags=replace(request.flags, password=None), note="")
    if rest != RunRequest():
        raise UsageError.of(
            "flags-ambiguous",
            "PLANFILE and --resume cannot be combined with options that change the plan",
            "leave out the other options, or make a new plan",
        )


def print_report(report: Report, output: ReportFormat, planned: Sequence[PlannedNode]) -> ExitCode:
    """Print the result of a run: the nodes that are not as requested, and a summary as the last line.

    `planned` has the diffs for formats that show every node.
    """
    from harbor_agent.views.json.run import build_run_document
    from harbor_agent.views.text.dns import dns_text
    from harbor_agent.views.text.run import failures_text, run_summary
    from harbor_agent.views.text.secrets import list_secrets_text
    from harbor_agent.views.text.style import render_warnings

    if output is ReportFormat.JSON:
        print_json(build_run_document(report))
        return report.exit_code
    if output is not ReportFormat.TEXT:
        from harbor_agent.views.outline.run import outline_run

        print_outline(outline_run(report, planned), output)
        return report.exit_code
    if report.dns is not None:
        print_result(dns_text(report.dns, diffs=False))
    if report.secrets is not None and (listed := list_secrets_text(report.secrets)):
        print_result(listed)
    if report.warnings:
        print_result("\n".join(render_warnings(report.warnings)))
    if failures := failures_text(report.results):
        print_result(failures)
    print_result(run_summary(report))
    return report.exit_code


def confirm_plan(
    nodes: Sequence[PlannedNode], secrets: SecretsReport | None, dns: DnsReport | None = None, *, yes: bool
) -> None:
    """Show the plan on standard error and ask, unless there is nothing to change. Raises StoppedError for a no."""
    from harbor_agent.model.result import Outcome
    from harbor_agent.views.text.plan import plan_text

    print_status(plan_text(nodes, secrets, dns=dns))
    pending = any(node.outcome is Outcome.PENDING for node in nodes) or (secrets and secrets.status == "change")
    if (pending or (dns and dns.is_pending)) and not yes:
        confirm("Apply this plan?")

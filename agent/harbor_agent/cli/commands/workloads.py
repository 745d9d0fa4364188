"""harbor-agent workloads annotate | scan."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.views.text.style import render_problem, style_diff

if TYPE_CHECKING:
    from harbor_agent.engine.workloads.manifests import ManifestFile
    from harbor_agent.engine.workloads.scan import WorkloadsReport

app = options.command_app(
    no_args_is_help=True,
    help="Workloads that keep their pull secrets when KubeSphere's console edits them; touches no node.",
)

Files = Annotated[list[str], typer.Argument(help="Manifests in YAML or JSON; - for standard input.", metavar="FILE...")]
Secret = Annotated[
    str, typer.Option("--secret", help="Name of the pull secret, in the pods' namespace.", metavar="NAME")
]
OnlyFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        help="Only containers whose image comes from there, and these in any case; repeatable.",
        show_default="all that have no secret yet",
        metavar="HOST[:PORT]",
    ),
]
InPlace = Annotated[bool, typer.Option("--in-place", help="Write the files instead of standard output.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show what would change instead of the result; nothing is written.")]
OnlyIn = Annotated[
    list[str] | None,
    typer.Option("-n", "--namespace", help="Only in this one; repeatable.", show_default="all", metavar="NAME"),
]


@app.command(
    "annotate",
    epilog=options.examples(
        "harbor-agent workloads annotate --secret harbor-pull --diff web.yaml",
        "harbor-agent workloads annotate --secret harbor-pull --in-place web.yaml jobs.yaml",
        "harbor-agent workloads annotate --secret harbor-pull - <all.yaml | kubectl apply -f -",
    ),
)
@command
def annotate(
    *,
    files: Files,
    secret: Secret,
    registry: OnlyFrom = None,
    in_place: InPlace = False,
    diff: Diff = False,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Put a pull secret into manifests: imagePullSecrets, and the annotation without which the console drops it.

    Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and CronJobs are annotated, in lists too, init
    containers included; comments, order and all else stay byte for byte, and no secret that is there is lost. A file
    that cannot be edited is told with its line, and it ends with 5: nothing is printed then, while --in-place writes
    the others.
    """
    from harbor_agent.engine.workloads.manifests import (
        STANDARD_INPUT,
        annotate_manifests,
        annotation_wish,
        joined,
        manifests_exit_code,
    )
    from harbor_agent.model.address import Address
    from harbor_agent.views.json.workloads import build_manifests_document

    if in_place and (diff or STANDARD_INPUT in files):
        what = "--diff writes nothing" if diff else "standard input has no place"
        raise UsageError.of("flags-ambiguous", f"--in-place writes files, and {what}", "leave out one of them")
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError.of("flags-ambiguous", "standard input can be read once only", "name - once")
    wish = annotation_wish(secret, [Address.parse(text) for text in registry or ()])
    done = annotate_manifests(files, wish, in_place=in_place)
    exit_code = manifests_exit_code(done)
    if output is options.Format.JSON:
        write_json(build_manifests_document(done))
        return exit_code
    _tell_files(done)
    if diff and any(file.diff for file in done):
        write(style_diff("".join(file.diff for file in done)))
    elif not (diff or in_place) and exit_code is ExitCode.DONE:
        sys.stdout.buffer.write(joined(done))
    return exit_code


@app.command(
    "scan",
    epilog=options.examples("harbor-agent workloads scan", "harbor-agent workloads scan -n demo -n shop -o json"),
)
@command
def scan(
    *,
    config: options.Config = None,
    namespace: OnlyIn = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """List live workloads whose pull secrets an edit in KubeSphere's console would drop, and how to keep them.

    Changes nothing. Ends with 3 where an annotation is missing or names a container too few.
    """
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.workloads.scan import scan_workloads
    from harbor_agent.views.json.workloads import build_workloads_document

    flags = RegistryFlags(kubeconfig=kubeconfig, context=context)
    report = scan_workloads(resolve(RunRequest(flags=flags, config=config)), namespace or ())
    if output is options.Format.JSON:
        write_json(build_workloads_document(report))
    else:
        _write_report(report)
    return report.exit_code


def _tell_files(files: list[ManifestFile]) -> None:
    """Tell on standard error what became of each workload, and what is wrong."""
    for file in files:
        for one in file.workloads:
            given = f"for {', '.join(one.changed_containers)}" if one.changed_containers else "already there"
            tell(f"{file.before.path} line {one.line}: {one.after}: {given if one.changed else 'unchanged'}")
            for warning in one.warnings:
                tell("\n".join(render_problem(warning)))
        if file.problem:
            tell("\n".join(render_problem(file.problem)))
        elif not file.workloads:
            tell(f"{file.before.path}: no workload that names containers is in it")


def _write_report(report: WorkloadsReport) -> None:
    from harbor_agent.planning.secrets.retention import Retention

    for one in report.standings:
        write(f"{one.workload}: {one.status.value}")
        if one.problem:
            write("\n".join(render_problem(one.problem)))
    for problem in report.problems:
        tell("\n".join(render_problem(problem)))
    found = [one.status for one in report.standings]
    write("Workloads with pull secrets: " + ", ".join(f"{found.count(status)} {status.value}" for status in Retention))

"""harbor-agent workloads annotate | scan."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.completion import complete_namespace
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import describe
from harbor_agent.errors import ExitCode, UsageError

app = command_app(
    no_args_is_help=True,
    help="Keep pull secrets when KubeSphere's console edits workloads.",
    epilog=format_examples(
        "harbor-agent workloads scan -n demo",
        "harbor-agent workloads annotate --secret harbor-pull --diff web.yaml",
    ),
)

Files = Annotated[list[str], typer.Argument(help="Manifests in YAML or JSON; - for standard input.", metavar="FILE...")]
Secret = Annotated[
    str,
    build_option(Panel.SECRET, "--secret", "Name of the pull secret in the namespace of the pods.", metavar="NAME"),
]
OnlyFrom = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET,
        "--registry",
        "Add the secret to all containers with an image of this registry, and to no others; repeatable.",
        show_default="containers without a secret",
        metavar="HOST[:PORT]",
    ),
]
InPlace = Annotated[bool, build_option(Panel.OUTPUT, "--in-place", "Change the files instead of printing the result.")]
Diff = Annotated[bool, build_option(Panel.OUTPUT, "--diff", "Print the changes instead of the result; write nothing.")]
AllKinds = Annotated[
    bool, build_option(Panel.SECRET, "--all-kinds", "Also add it to pod templates of kinds that are not known.")
]
OnlyIn = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET,
        "-n --namespace",
        "Scan only this namespace; repeatable.",
        show_default="all",
        metavar="NAME",
        autocompletion=complete_namespace,
    ),
]


@app.command(
    "annotate",
    epilog=format_examples(
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
    all_kinds: AllKinds = False,
    in_place: InPlace = False,
    diff: Diff = False,
    yes: options.UnusedYes = False,  # noqa: ARG001 - see its help
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Add a pull secret and its annotation to manifests.

    Adds imagePullSecrets, and the annotation without which the console drops them, to all kinds of Kubernetes with
    pod templates, also inside lists. Known kinds of others, such as Argo Rollouts, OpenKruise, Knative, Volcano and
    Kubeflow, get imagePullSecrets. Objects of other kinds that start containers are listed. Everything else in the
    file stays byte for byte, and secrets that are already there are kept.

    Exits with 5 if a file cannot be edited. Nothing is printed then; --in-place still changes the other files.
    """
    from harbor_agent.engine.workloads.manifests import (
        STANDARD_INPUT,
        annotate_manifests,
        build_annotation_spec,
        find_exit_code,
        join_documents,
    )
    from harbor_agent.model.address import Address
    from harbor_agent.views.json.workloads import build_manifests_document
    from harbor_agent.views.text.style import style_diff
    from harbor_agent.views.text.workloads import manifests_text

    if in_place and (diff or STANDARD_INPUT in files):
        other = "--diff" if diff else "standard input"
        raise UsageError.of(
            "flags-ambiguous", f"--in-place and {other} cannot be used together", "leave out one of them"
        )
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError.of("flags-ambiguous", "standard input cannot be read twice", "give - only once")
    spec = build_annotation_spec(secret, [Address.parse(text) for text in registry or ()], all_kinds=all_kinds)
    done = annotate_manifests(files, spec, in_place=in_place)
    exit_code = find_exit_code(done)
    if output is options.Format.JSON:
        print_json(build_manifests_document(done))
        return exit_code
    print_status(manifests_text(done))
    if diff and any(file.diff for file in done):
        print_result(style_diff("".join(file.diff for file in done)))
    elif not (diff or in_place) and exit_code is ExitCode.DONE:
        sys.stdout.buffer.write(join_documents(done))
    return exit_code


@app.command(
    "scan",
    epilog=format_examples("harbor-agent workloads scan", "harbor-agent workloads scan -n demo -n shop -o json"),
)
@command
@describe(kubeconfig="Kubeconfig of the cluster to scan.")
def scan(
    *,
    config: options.Config = None,
    namespace: OnlyIn = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """List workloads that would lose pull secrets in an edit.

    Reports live workloads whose pull secrets KubeSphere's console would drop, and how to keep them. Changes nothing.
    Exits with 3 if an annotation is missing or incomplete.
    """
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.workloads.scan import scan_workloads
    from harbor_agent.views.json.workloads import build_workloads_document
    from harbor_agent.views.text.workloads import unread_text, workloads_text

    flags = RegistryFlags(kubeconfig=kubeconfig, context=context)
    report = scan_workloads(resolve(RunRequest(flags=flags, config=config)), namespace or ())
    if output is options.Format.JSON:
        print_json(build_workloads_document(report))
        return report.exit_code
    if report.problems or report.remarks:
        print_status(unread_text(report))
    print_result(workloads_text(report))
    return report.exit_code

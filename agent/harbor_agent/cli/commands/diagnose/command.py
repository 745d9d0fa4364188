"""harbor-agent diagnose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.diagnose.target import parse_target
from harbor_agent.cli.completion import complete_namespace
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_in_format
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.report import DiagnosisReport

app = command_app()

Subject = Annotated[
    str | None,
    typer.Argument(
        help="Pod as NAME or NAMESPACE/NAME, or image as HOST/REPO:TAG.", metavar="[POD|IMAGE]", show_default=False
    ),
]
Message = Annotated[
    str | None,
    build_option(
        Panel.RUN,
        "--message",
        "Text of an event, or of docker pull, crictl pull or kubelet; - for standard input.",
        metavar="TEXT",
    ),
]
OfPod = Annotated[
    str | None,
    build_option(
        Panel.RUN,
        "-n --namespace",
        "Namespace (KubeSphere: project) of the pod.",
        metavar="NAME",
        show_default="that of the kubeconfig's context",
        autocompletion=complete_namespace,
    ),
]


@app.command(
    epilog=format_examples(
        "harbor-agent diagnose web-6d4cf56db6-x2x7k -n demo",
        "harbor-agent diagnose 192.168.0.99/library/pause:3.9 -i inventory.ini --limit node7",
        "harbor-agent diagnose --message - <events.txt",
    )
)
@command
@describe(
    registry="Registry of the image, with https:// if it does not speak plain HTTP; repeatable.",
    username="User that the nodes pull the image with.",
    kubeconfig="Kubeconfig of the cluster with the pod.",
)
def diagnose(
    *,
    subject: Subject = None,
    message: Message = None,
    namespace: OfPod = None,
    nodes: NodeOptions,
    login: LoginOptions,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Find out why an image is not pulled; change nothing.

    Of a pod it reads kubelet's messages and events, and for a refused login the pod's pull secrets; no password is
    printed. Of an image, every node of the inventory pulls it, configured or not; without a login the registry is asked
    from this machine too. With --message it contacts nothing.

    Exits with 1 if a pull failed, whether its cause was recognised or not, and with 4 if only nodes did not answer.
    """
    from harbor_agent.engine.diagnosis.image import diagnose_image
    from harbor_agent.engine.diagnosis.message import diagnose_message
    from harbor_agent.engine.diagnosis.pod import diagnose_pod
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve

    target = parse_target(subject, namespace, message)
    if target.image:
        flags = replace(build_flags(login), kubeconfig=kubeconfig, context=context)
        request = RunRequest(selection=build_selection(nodes), flags=flags, config=login.config)
        return _print(diagnose_image(request, target.image, Progress(verbose)), output)
    flags = RegistryFlags(addresses=tuple(login.registry or ()), kubeconfig=kubeconfig, context=context)
    resolved = resolve(RunRequest(flags=flags, config=login.config))
    if target.message is not None:
        return _print(
            diagnose_message(target.message, [registry.address for registry in resolved.general.registries]), output
        )
    return _print(diagnose_pod(resolved, target.namespace, target.pod), output)


def _print(report: DiagnosisReport, output: ReportFormat) -> ExitCode:
    from harbor_agent.views.json.diagnosis import build_diagnosis_document
    from harbor_agent.views.outline.diagnosis import outline_diagnosis
    from harbor_agent.views.text.diagnosis import diagnosis_text

    print_in_format(
        output,
        document=lambda: build_diagnosis_document(report),
        text=lambda: diagnosis_text(report),
        outline=lambda: outline_diagnosis(report),
    )
    return report.exit_code

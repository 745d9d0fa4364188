"""harbor-agent verify."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from harbor_agent.cli import options, pod_options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import print_report
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import LockTimeout, LoginOptions, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.reports import ReportFormat, ReportOutput
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode, UsageError

app = command_app()


@app.command(
    epilog=format_examples(
        "harbor-agent verify -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent verify -i inventory.ini --limit @failed",
        "harbor-agent verify -i inventory.ini --login",
        "harbor-agent verify -i inventory.ini --pod -n demo",
    )
)
@command
@describe(
    registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.",
    username="User that the nodes pull the image with.",
    verify_image="Image that every node pulls from the registry.",
    kubeconfig="Kubeconfig of the cluster for --pod.",
)
def verify(
    *,
    nodes: NodeOptions,
    login: LoginOptions,
    verify_image: options.VerifyImage = None,
    login_too: options.LoginToo = False,
    pod: pod_options.WithPods = False,
    namespace: pod_options.PodNamespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    lock_timeout: LockTimeout = 0.0,
    notify: Notify = None,
    output: ReportOutput = ReportFormat.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Check that every node trusts the registry and can pull.

    Reads the registry list of the running daemon and pulls the image. Changes nothing; an image that was not there
    before is removed again. With --login, each node also logs in as docker login does, and keeps nothing of it.

    With --pod, kubelet pulls instead, for a pod on each node that is deleted afterwards. It has the pull secret that
    the users' pods have, so secret, service account and admission are proven too. The image stays on the node until
    kubelet removes unused images.
    """
    from harbor_agent.engine.plan.run_plan import plan_run
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.run import verify_run
    from harbor_agent.engine.rollout.stop import StopRequest

    if namespace is not None and not pod:
        raise UsageError.of("flags-ambiguous", "-n names the namespace of pods, and --pod is missing", "add --pod")
    progress = Progress(verbose)
    flags = replace(build_flags(login), verify_image=verify_image, kubeconfig=kubeconfig, context=context)
    request = RunRequest(selection=build_selection(nodes), flags=flags, config=login.config, prove_with_pods=pod)
    stopping = (
        graceful_stop("no other node is verified, and the pods are deleted") if pod else nullcontext(StopRequest())
    )
    with Notifier("verify", notify, request.selection.sources, login.config) as notifier:
        run_plan = replace(plan_run(request, progress), lock_timeout=lock_timeout)
        with stopping as stop:
            report = verify_run(run_plan, progress, stop, with_login=login_too, namespace=namespace)
        report = notifier.notify(report)
    return print_report(report, output, run_plan.nodes)

"""harbor-agent schedule install | remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.schedule.group import app
from harbor_agent.cli.commands.schedule.options import CheckOptions, ClusterOptions, Name, build_request
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_document, print_result, print_status
from harbor_agent.cli.help import format_examples
from harbor_agent.cli.option_groups import NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.views.text.common import count_nodes
from harbor_agent.views.text.style import style_diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import FileChange


@app.command(
    "install",
    epilog=format_examples(
        "harbor-agent schedule install -i inventory.ini -c harbor-agent.yaml",
        "harbor-agent schedule install -i inventory.ini --every 6h --correct --user harbor",
        "harbor-agent schedule install -i inventory.ini --kubernetes --image registry.example/harbor-agent:1",
    ),
)
@command
@describe(
    registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.",
    limit="Limit the check to matching nodes (Ansible pattern, e.g. 'workers:!node7').",
    kubeconfig="Kubeconfig of the cluster for --kubernetes, which is asked for its version.",
)
def install(
    *,
    nodes: NodeOptions,
    check: CheckOptions,
    name: Name = None,
    cluster: ClusterOptions,
    yes: options.Yes = False,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Install a systemd timer that checks for drift.

    Shows the service and the timer, and asks for confirmation. Run it again with other options to change the
    schedule. Requires root.

    With --kubernetes, prints manifests instead, and the commands that create their secrets; nothing is installed.
    """
    if cluster != ClusterOptions():
        print_document(_render_manifests(nodes, check, name, cluster, verbose))
        return ExitCode.DONE
    from harbor_agent.engine.schedule import install as schedule
    from harbor_agent.engine.schedule.request import build_schedule

    ready = build_schedule(build_request(nodes, check, name), Progress(verbose))
    changes = schedule.plan_installation(ready)
    unit = ready.schedule.unit
    if not changes and schedule.is_active(unit):
        print_result(f"{unit} is already installed and up to date")
        return ExitCode.DONE
    title = f"{unit}: {count_nodes(ready.nodes)}, as {ready.schedule.user}"
    _confirm_changes(changes, title, "Install this schedule?", yes=yes)
    schedule.install(ready.schedule, changes)
    print_result(f"installed {unit}; to run it now: systemctl start {unit}.service; status: harbor-agent schedule show")
    return ExitCode.DONE


@app.command(
    "remove",
    epilog=format_examples("harbor-agent schedule remove", "harbor-agent schedule remove --name nightly --yes"),
)
@command
def remove(*, name: Name = None, yes: options.Yes = False) -> ExitCode:
    """Remove the timer and its service; requires root.

    Keeps the user's lock and history. Waits for a check that is running.
    """
    from harbor_agent.engine.schedule import install as schedule

    changes = schedule.plan_removal(name)
    _confirm_changes(changes, "", "Remove this schedule?", yes=yes)
    schedule.remove(name, changes)
    print_result(f"removed {', '.join(change.path for change in changes)}")
    return ExitCode.DONE


def _render_manifests(
    nodes: NodeOptions, check: CheckOptions, name: str | None, cluster: ClusterOptions, verbose: int
) -> str:
    """Return the manifests as YAML. Raises UsageError for options that do not fit a cluster."""
    from harbor_agent.engine.schedule.cluster import build_manifests
    from harbor_agent.engine.schedule.target import Target
    from harbor_agent.views.text.manifests import manifests_text

    if not cluster.kubernetes or cluster.image is None:
        message = "--kubernetes and --image need each other, and the other options of a cluster need both"
        raise UsageError.of("flags-ambiguous", message, "add --kubernetes --image NAME:TAG")
    if check.user is not None or check.metrics is not None:
        message = "--user and --metrics are about this machine, and --kubernetes installs nothing here"
        raise UsageError.of("flags-ambiguous", message, "leave them out")
    target = Target(
        image=cluster.image,
        is_another=cluster.other_cluster,
        version=cluster.kube_version,
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
    )
    manifests = build_manifests(build_request(nodes, check, name), target, Progress(verbose))
    return manifests_text(manifests.objects, manifests.commands).rstrip("\n")


def _confirm_changes(changes: Sequence[FileChange], title: str, question: str, *, yes: bool) -> None:
    """Show the files on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.planning.files.diff import render_diff

    print_status("\n\n".join([*([title] if title else []), *(style_diff(render_diff(change)) for change in changes)]))
    if not yes:
        confirm(question)

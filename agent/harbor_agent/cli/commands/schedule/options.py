"""The options of a scheduled check, and the request that they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli import options
from harbor_agent.cli.help import Panel, build_option
from harbor_agent.cli.request import build_selection

if TYPE_CHECKING:
    from harbor_agent.cli.option_groups import NodeOptions
    from harbor_agent.engine.schedule.request import ScheduleRequest

Every = Annotated[
    str | None,
    build_option(Panel.SCHEDULE, "--every", "Interval between two checks, such as 30min, 6h or 1d.", metavar="TIME"),
]
OnCalendar = Annotated[
    str | None,
    build_option(
        Panel.SCHEDULE,
        "--on-calendar",
        "Time as in systemd.time(7); a check that was missed runs at the next boot.",
        show_default="hourly",
        metavar="WHEN",
    ),
]
Correct = Annotated[
    bool,
    build_option(Panel.SCHEDULE, "--correct", "Also restore drifted nodes to the settings applied to them."),
]
User = Annotated[
    str | None,
    build_option(
        Panel.SCHEDULE,
        "--user",
        "User that runs the check; its SSH keys, lock and history are used. Root is not required.",
        show_default="the calling user, also with sudo",
        metavar="NAME",
    ),
]
Name = Annotated[
    str | None,
    build_option(
        Panel.SCHEDULE,
        "--name",
        "Name of one of several schedules; its units or objects are harbor-agent-drift-NAME.",
        metavar="NAME",
    ),
]
Metrics = Annotated[
    str | None,
    build_option(
        Panel.SCHEDULE,
        "--metrics",
        "Write metrics for Prometheus' textfile collector; FILE ends in .prom.",
        metavar="FILE",
    ),
]
Kubernetes = Annotated[
    bool,
    build_option(Panel.OUTPUT, "--kubernetes", "Print a CronJob and all it needs in a cluster; install nothing here."),
]
Image = Annotated[
    str | None, build_option(Panel.SCHEDULE, "--image", "Container image for --kubernetes.", metavar="NAME:TAG")
]
OtherCluster = Annotated[
    bool,
    build_option(
        Panel.SCHEDULE,
        "--other-cluster",
        "The CronJob runs in another cluster than the nodes: it gets the settings' kubeconfig as a secret.",
    ),
]
KubeVersion = Annotated[
    str | None,
    build_option(
        Panel.SCHEDULE,
        "--kube-version",
        "Version of the cluster for --kubernetes.",
        show_default="that of the kubeconfig's cluster, or a current one",
        metavar="V",
    ),
]
Crontab = Annotated[
    bool, build_option(Panel.OUTPUT, "--crontab", "Print a line for the user's crontab instead of systemd units.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The check to run, its time and its user."""

    registry: options.Registries = None
    config: options.Config = None
    every: Every = None
    on_calendar: OnCalendar = None
    correct: Correct = False
    user: User = None
    metrics: Metrics = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """A check in a cluster instead of on this machine."""

    kubernetes: Kubernetes = False
    image: Image = None
    other_cluster: OtherCluster = False
    kube_version: KubeVersion = None
    kubeconfig: options.Kubeconfig = None
    context: options.Context = None


def build_request(nodes: NodeOptions, check: CheckOptions, name: str | None) -> ScheduleRequest:
    """Build the request for a schedule. Raises UsageError."""
    from harbor_agent.engine.schedule.request import ScheduleRequest
    from harbor_agent.planning.schedule import parse_timing

    return ScheduleRequest(
        name=name,
        selection=build_selection(nodes),
        addresses=tuple(check.registry or ()),
        config=check.config,
        correct=check.correct,
        user=check.user,
        timing=parse_timing(check.every, check.on_calendar),
        metrics=check.metrics,
    )

"""harbor-agent schedule install | show | remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.common import count_nodes
from harbor_agent.views.text.style import style_diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.request import ReadySchedule
    from harbor_agent.engine.schedule.status import InstalledSchedule
    from harbor_agent.model.plan import FileChange

app = command_app(
    no_args_is_help=True,
    help="Run drift checks on a schedule (systemd timer or cron).",
    epilog=format_examples(
        "harbor-agent schedule install -i inventory.ini -c harbor-agent.yaml",
        "harbor-agent schedule show",
        "harbor-agent schedule remove",
    ),
)

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
        "Name of one of several schedules; its units are harbor-agent-drift-NAME.",
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


@app.command(
    "install",
    epilog=format_examples(
        "harbor-agent schedule install -i inventory.ini -c harbor-agent.yaml",
        "harbor-agent schedule install -i inventory.ini --every 6h --correct --user harbor",
    ),
)
@command
@describe(
    registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.",
    limit="Limit the check to matching nodes (Ansible pattern, e.g. 'workers:!node7').",
)
def install(
    *,
    nodes: NodeOptions,
    check: CheckOptions,
    name: Name = None,
    yes: options.Yes = False,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Install a systemd timer that checks for drift.

    Shows the service and the timer, and asks for confirmation. Run it again with other options to change the
    schedule. Requires root.
    """
    from harbor_agent.engine.schedule import install as schedule

    ready = _build_schedule(nodes, check, name, verbose)
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
    "show",
    epilog=format_examples(
        "harbor-agent schedule show", "harbor-agent schedule show -i inventory.ini --every 6h --crontab"
    ),
)
@command
@describe(registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.")
def show(
    *,
    nodes: NodeOptions,
    check: CheckOptions,
    name: Name = None,
    crontab: Crontab = False,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Show the installed schedules: next run and last result.

    With options of `install`, shows the units or the crontab line that they would install; does not require root.
    """
    from harbor_agent.engine.schedule import install as schedule
    from harbor_agent.engine.schedule.status import list_schedules

    if (nodes, check, crontab) == (NodeOptions(), CheckOptions(), False):
        _show_installed(list_schedules(name), output)
        return ExitCode.DONE
    ready = _build_schedule(nodes, check, name, 0)
    if crontab:
        print_result(schedule.render_crontab_lines(ready.schedule).rstrip("\n"))
    else:
        print_result(
            "\n".join(f"# {path}\n{text}" for path, text in schedule.render_units(ready.schedule).items()).rstrip("\n")
        )
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


def _build_schedule(nodes: NodeOptions, check: CheckOptions, name: str | None, verbose: int) -> ReadySchedule:
    from harbor_agent.engine.schedule.request import ScheduleRequest, build_schedule
    from harbor_agent.planning.schedule import parse_timing

    request = ScheduleRequest(
        name=name,
        selection=build_selection(nodes),
        addresses=tuple(check.registry or ()),
        config=check.config,
        correct=check.correct,
        user=check.user,
        timing=parse_timing(check.every, check.on_calendar),
        metrics=check.metrics,
    )
    return build_schedule(request, Progress(verbose))


def _show_installed(found: Sequence[InstalledSchedule], output: options.Format) -> None:
    from harbor_agent.views.json.schedules import build_schedules_document
    from harbor_agent.views.text.schedule import schedules_text

    if output is options.Format.JSON:
        print_json(build_schedules_document(found))
    else:
        print_result(schedules_text(found))


def _confirm_changes(changes: Sequence[FileChange], title: str, question: str, *, yes: bool) -> None:
    """Show the files on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.planning.files.diff import render_diff

    print_status("\n\n".join([*([title] if title else []), *(style_diff(render_diff(change)) for change in changes)]))
    if not yes:
        confirm(question)

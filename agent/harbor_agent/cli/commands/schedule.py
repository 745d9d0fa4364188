"""harbor-agent schedule install | show | remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import style_diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.install import InstalledSchedule
    from harbor_agent.engine.schedule.request import ReadySchedule
    from harbor_agent.model.plan import FileChange

app = options.command_app(
    no_args_is_help=True,
    help="Look for drift by the clock, through a timer of systemd or through cron.",
)

Every = Annotated[
    str | None,
    typer.Option("--every", help="How often, whatever the clock says: such as 30min, 6h or 1d.", metavar="TIME"),
]
OnCalendar = Annotated[
    str | None,
    typer.Option(
        "--on-calendar",
        help="When, as systemd.time(7) has it; what was missed is made up for.",
        show_default="hourly",
        metavar="WHEN",
    ),
]
Correct = Annotated[bool, typer.Option("--correct", help="Also bring nodes back to what a person applied before.")]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="Who runs it: with that user's SSH keys, lock and history; not root need be.",
        show_default="who asks, also behind sudo",
        metavar="NAME",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", help="Tells several apart: the units are then named harbor-agent-drift-NAME.", metavar="NAME"
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option("--metrics", help="What it finds, for Prometheus' textfile collector; ends in .prom.", metavar="FILE"),
]
Crontab = Annotated[
    bool, typer.Option("--crontab", help="Print the line for the user's crontab, where there is no systemd.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatOptions:
    """What is to run, when and as whom."""

    registry: options.Registries = None
    config: options.Config = None
    every: Every = None
    on_calendar: OnCalendar = None
    correct: Correct = False
    user: User = None
    metrics: Metrics = None


@app.command(
    "install",
    epilog=options.examples(
        "harbor-agent schedule install -i inventory.ini -c harbor-agent.yaml",
        "harbor-agent schedule install -i inventory.ini --every 6h --correct --user harbor",
    ),
)
@command
def install(
    *,
    nodes: options.NodeOptions,
    what: WhatOptions,
    name: Name = None,
    yes: options.Yes = False,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Have systemd look for drift by the clock. Shows service and timer first, and asks.

    The same command again, with other options, changes what is in place. It takes root.
    """
    from harbor_agent.engine.schedule import install as schedule

    ready = _ready(nodes, what, name, verbose)
    changes = schedule.plan_installation(ready)
    unit = ready.schedule.unit
    if not changes and schedule.is_on(unit):
        write(f"{unit} is in place already, just so")
        return ExitCode.DONE
    title = f"{unit}: {ready.nodes} node{'s' if ready.nodes != 1 else ''}, as {ready.schedule.user}"
    _confirm_changes(changes, title, "Install this?", yes=yes)
    schedule.install(ready.schedule, changes)
    write(f"{unit} is in place; systemctl start {unit}.service runs it now, harbor-agent schedule show tells of it")
    return ExitCode.DONE


@app.command(
    "show",
    epilog=options.examples(
        "harbor-agent schedule show", "harbor-agent schedule show -i inventory.ini --every 6h --crontab"
    ),
)
@command
def show(
    *,
    nodes: options.NodeOptions,
    what: WhatOptions,
    name: Name = None,
    crontab: Crontab = False,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Show what is in place: when it runs next, and how it ended last.

    With options of install, show what that would put in place, as units or as a line for cron; it takes no root.
    """
    from harbor_agent.engine.schedule import install as schedule

    if (nodes, what, crontab) == (options.NodeOptions(), WhatOptions(), False):
        _show_installed(schedule.installed(name), output)
        return ExitCode.DONE
    ready = _ready(nodes, what, name, 0)
    if crontab:
        write(schedule.crontab_line(ready.schedule).rstrip("\n"))
    else:
        write("\n".join(f"# {path}\n{text}" for path, text in schedule.unit_texts(ready.schedule).items()).rstrip("\n"))
    return ExitCode.DONE


@app.command("remove", epilog=options.examples("harbor-agent schedule remove --yes"))
@command
def remove(*, name: Name = None, yes: options.Yes = False) -> ExitCode:
    """Take service and timer away again; lock and history stay the user's. A run under way comes to its end first."""
    from harbor_agent.engine.schedule import install as schedule

    changes = schedule.plan_removal(name)
    _confirm_changes(changes, "", "Remove this?", yes=yes)
    schedule.remove(name, changes)
    write(f"removed {', '.join(change.path for change in changes)}")
    return ExitCode.DONE


def _ready(nodes: options.NodeOptions, what: WhatOptions, name: str | None, verbose: int) -> ReadySchedule:
    from harbor_agent.engine.schedule.request import ScheduleRequest, make_schedule
    from harbor_agent.planning.schedule import parse_timing

    request = ScheduleRequest(
        name=name,
        selection=build_selection(nodes),
        addresses=tuple(what.registry or ()),
        config=what.config,
        correct=what.correct,
        user=what.user,
        timing=parse_timing(what.every, what.on_calendar),
        metrics=what.metrics,
    )
    return make_schedule(request, Progress(verbose))


def _show_installed(found: Sequence[InstalledSchedule], output: options.Format) -> None:
    from harbor_agent.views.json.schedules import build_schedules_document
    from harbor_agent.views.text.schedule import schedules_text

    if output is options.Format.JSON:
        write_json(build_schedules_document(found))
    else:
        write(schedules_text(found))


def _confirm_changes(changes: Sequence[FileChange], title: str, question: str, *, yes: bool) -> None:
    """Show the files on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.planning.files.diff import unified_diff

    tell("\n\n".join([*([title] if title else []), *(style_diff(unified_diff(change)) for change in changes)]))
    if not yes:
        confirm(question)

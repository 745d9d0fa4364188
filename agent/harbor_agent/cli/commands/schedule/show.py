"""harbor-agent schedule show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.schedule.group import app
from harbor_agent.cli.commands.schedule.options import CheckOptions, Crontab, Name, build_request
from harbor_agent.cli.console import print_document, print_json, print_result
from harbor_agent.cli.help import format_examples
from harbor_agent.cli.option_groups import NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.status import InstalledSchedule


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
    from harbor_agent.engine.schedule.request import build_schedule
    from harbor_agent.engine.schedule.status import list_schedules

    if (nodes, check, crontab) == (NodeOptions(), CheckOptions(), False):
        _show_installed(list_schedules(name), output)
        return ExitCode.DONE
    ready = build_schedule(build_request(nodes, check, name), Progress(0))
    if crontab:
        print_document(schedule.render_crontab_lines(ready.schedule).rstrip("\n"))
    else:
        print_result(
            "\n".join(f"# {path}\n{text}" for path, text in schedule.render_units(ready.schedule).items()).rstrip("\n")
        )
    return ExitCode.DONE


def _show_installed(found: Sequence[InstalledSchedule], output: options.Format) -> None:
    from harbor_agent.views.json.schedules import build_schedules_document
    from harbor_agent.views.text.schedule import schedules_text

    if output is options.Format.JSON:
        print_json(build_schedules_document(found))
    else:
        print_result(schedules_text(found))

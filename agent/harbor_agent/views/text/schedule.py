"""Installed schedules as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode
from harbor_agent.language.current import translate
from harbor_agent.views.text.style import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.status import InstalledSchedule, LastRun

_MEANINGS = {
    ExitCode.DONE: "nothing left to do",
    ExitCode.FAILED: "a node or a pull failed",
    ExitCode.USAGE: "invalid settings or inventory",
    ExitCode.PENDING: "drift or pending changes found",
    ExitCode.UNREACHABLE: "some nodes were unreachable",
    ExitCode.REFUSED: "some nodes were refused",
    ExitCode.NEEDS_INTERVENTION: "manual intervention required",
    ExitCode.STOPPED: "stopped early",
    ExitCode.BUG: "bug in harbor-agent",
    ExitCode.LOCKED: "another run was under way",
}


def schedules_text(schedules: Sequence[InstalledSchedule]) -> str:
    """Return a block per schedule."""
    if not schedules:
        return translate("no schedules on this machine; to install one: harbor-agent schedule install")
    return "\n\n".join(_describe_schedule(one) for one in schedules)


def _describe_schedule(one: InstalledSchedule) -> str:
    lines = [f"{style(one.unit, bold=True)}  {translate(one.when)}, {translate(f'as {one.user}')}"]
    lines.append(translate(f"  next run  {_describe_next_run(one)}"))
    lines.append(translate(f"  last run  {_describe_last_run(one.last_run)}"))
    lines.append(f"{translate('  command   ')}{one.command}")
    return "\n".join([*lines, translate(f"  log       journalctl -u {one.unit}.service")])


def _describe_next_run(one: InstalledSchedule) -> str:
    if one.is_running:
        return "under way now"
    if not one.is_active:
        return f"never: the timer is not active; to start it: systemctl start {one.unit}.timer"
    at_boot = "" if one.is_enabled else f", but not after a reboot; to enable it: systemctl enable {one.unit}.timer"
    return f"{one.next_run or 'unknown'}{at_boot}"


def _describe_last_run(ended: LastRun | None) -> str:
    if ended is None:
        return "none since boot"
    # systemd has exit codes of its own, such as 200 for a missing working directory (systemd.exec(5)).
    meaning = {int(code): text for code, text in _MEANINGS.items()}.get(ended.exit_code)
    why = meaning or f"systemd result '{ended.result}'"
    return f"{ended.ended_at}, exit code {ended.exit_code}: {why}"

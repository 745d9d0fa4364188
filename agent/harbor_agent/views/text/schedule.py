"""What runs by the clock, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.install import InstalledSchedule, LastRun

_MEANINGS = {
    ExitCode.DONE: "nothing left to do",
    ExitCode.FAILED: "a node or a proof failed",
    ExitCode.USAGE: "settings or inventory cannot be used",
    ExitCode.PENDING: "something is to be done",
    ExitCode.UNREACHABLE: "some nodes were unreachable",
    ExitCode.REFUSED: "some nodes were refused",
    ExitCode.NEEDS_PERSON: "a node needs a person",
    ExitCode.STOPPED: "it stopped early",
    ExitCode.BUG: "a bug of harbor-agent",
    ExitCode.LOCKED: "another run was under way",
}


def schedules_text(schedules: Sequence[InstalledSchedule]) -> str:
    """Return a block for each schedule, or that there is none."""
    if not schedules:
        return "nothing runs by the clock here; harbor-agent schedule install has systemd look for drift"
    return "\n\n".join(_schedule(one) for one in schedules)


def _schedule(one: InstalledSchedule) -> str:
    lines = [f"{style(one.unit, bold=True)}  {one.when}, as {one.user}", f"  next run  {_next(one)}"]
    lines.append(f"  last run  {_last(one.last_run)}")
    lines.append(f"  command   {one.command}")
    return "\n".join([*lines, f"  journalctl -u {one.unit}.service has what it said"])


def _next(one: InstalledSchedule) -> str:
    if one.is_running:
        return "under way now"
    if not one.is_active:
        return f"never: the timer is not active (systemctl start {one.unit}.timer)"
    at_boot = "" if one.is_enabled else f", but not after a reboot (systemctl enable {one.unit}.timer)"
    return f"{one.next_run or 'not known'}{at_boot}"


def _last(ended: LastRun | None) -> str:
    if ended is None:
        return "none since this machine was booted"
    # systemd counts what no program of ours ended with, such as 200 for a folder that is not there.
    meaning = {int(code): text for code, text in _MEANINGS.items()}.get(ended.exit_code)
    why = meaning or f"systemd says '{ended.result}'"
    return f"{ended.moment}, exit code {ended.exit_code}: {why}"

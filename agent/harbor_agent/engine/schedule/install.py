"""Installs and removes scheduled drift checks on this machine: a service and a timer of systemd."""

from __future__ import annotations

import contextlib
import os
import socket
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.engine.schedule.access import require_access, run_as_user
from harbor_agent.engine.schedule.status import is_ours, list_units
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.local import systemd
from harbor_agent.local.tree import Tree
from harbor_agent.model.plan import FileChange
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.schedule import (
    ScheduleTemplates,
    build_unit_name,
    render_crontab,
    render_service,
    render_timer,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager

    from harbor_agent.engine.schedule.request import ReadySchedule
    from harbor_agent.planning.schedule import Schedule

_MINUTES = 60


def render_units(schedule: Schedule) -> dict[str, str]:
    """Return the unit files by path, the service first. Raises UsageError for a path that a unit cannot contain."""
    templates = _load_templates()
    return {
        f"{systemd.UNITS}/{schedule.unit}.service": render_service(schedule, templates.service),
        f"{systemd.UNITS}/{schedule.unit}.timer": render_timer(schedule, templates.timer),
    }


def render_crontab_lines(schedule: Schedule) -> str:
    """Return the lines of a crontab that run the same check: a comment and the command.

    The minute depends on machine and schedule, so that controllers do not start at once. Raises UsageError if cron
    cannot express the time.
    """
    minute = zlib.crc32(f"{socket.gethostname()}/{schedule.unit}".encode()) % _MINUTES
    return render_crontab(schedule, _load_templates().crontab, minute=minute)


def plan_installation(ready: ReadySchedule) -> tuple[FileChange, ...]:
    """Return the files to change. Raises UsageError if this machine or this user cannot install a timer."""
    schedule = ready.schedule
    if not systemd.is_systemd_here():
        raise UsageError.of(
            "schedule-no-systemd",
            "cannot install a timer: this machine was not booted with systemd",
            f"add this to the crontab of {schedule.user} (crontab -e):\n{render_crontab_lines(schedule).strip()}",
        )
    _require_root()
    if schedule.timing.calendar:
        systemd.require_calendar(schedule.timing.calendar)
    require_access(schedule, ready.readable)
    tree = Tree("/")
    changes = []
    for path, text in render_units(schedule).items():
        before = _require_ours(tree.state(path))
        after = FileState(path=path, kind=FileKind.REGULAR, content=text.encode(), mode=0o644)
        if before != after:
            changes.append(FileChange(before=before, after=after, reason="scheduled drift check"))
    return tuple(changes)


def is_active(unit: str) -> bool:
    """Whether the timer is active, now and after a reboot."""
    return systemd.check_state("is-enabled", f"{unit}.timer") and systemd.check_state("is-active", f"{unit}.timer")


def install(schedule: Schedule, changes: Sequence[FileChange]) -> None:
    """Write the files and start the timer. Raises AgentError after undoing all of it."""
    created = run_as_user(schedule.user, ["mkdir", "-p", "-m", "0700", "--", schedule.state_folder])
    if created.returncode:
        message = f"cannot create the state directory of {schedule.user}: {created.stderr.strip()}"
        raise AgentError.of("schedule-failed", message, "create it, or name another user with --user")
    timer = f"{schedule.unit}.timer"
    was_enabled = systemd.check_state("is-enabled", timer)
    try:
        _write(changes)
        systemd.run_systemctl("daemon-reload")
        systemd.run_systemctl("enable", timer)
        systemd.run_systemctl("restart", timer)
    except AgentError:
        _undo(timer, changes, was_enabled=was_enabled)
        raise


def plan_removal(name: str | None) -> tuple[FileChange, ...]:
    """Return the files to remove. Raises UsageError if there are none or they are not ours, and without root."""
    unit = build_unit_name(name)
    tree = Tree("/")
    states = [tree.state(f"{systemd.UNITS}/{unit}{kind}") for kind in (".timer", ".service")]
    existing = [_require_ours(state) for state in states if state.exists]
    if not existing:
        known = ", ".join(list_units()) or "none"
        message = f"{unit} is not installed on this machine (installed: {known})"
        raise UsageError.of("schedule-missing", message, "name the schedule with --name")
    _require_root()
    reason = "the schedule is removed"
    return tuple(FileChange(before=state, after=FileState(path=state.path), reason=reason) for state in existing)


def remove(name: str | None, changes: Sequence[FileChange]) -> None:
    """Stop the timer, wait for a run that is under way, and remove timer and service. Raises AgentError."""
    unit = build_unit_name(name)
    if systemd.is_systemd_here():
        files = {Path(change.path).name for change in changes}
        with _ignore_errors_if_missing(f"{unit}.timer", files):
            systemd.run_systemctl("disable", "--now", f"{unit}.timer")
        with _ignore_errors_if_missing(f"{unit}.service", files):
            systemd.stop(f"{unit}.service")
    _write(changes)
    if systemd.is_systemd_here():
        systemd.run_systemctl("daemon-reload")
        for failed in (f"{unit}.timer", f"{unit}.service"):
            # systemd does not know a unit that never failed.
            with contextlib.suppress(AgentError):
                systemd.run_systemctl("reset-failed", failed)
    systemd.forget_last_trigger(f"{unit}.timer")


def _ignore_errors_if_missing(file: str, files: Collection[str]) -> AbstractContextManager[None]:
    """Ignore errors of systemd if the file of the unit was removed before: systemd may or may not know it."""
    return contextlib.nullcontext() if file in files else contextlib.suppress(AgentError)


def _require_ours(state: FileState) -> FileState:
    """Return the state of the file. Raises UsageError if it exists and `schedule install` did not write it."""
    if state.exists and not is_ours(state):
        raise UsageError.of(
            "schedule-not-ours",
            f"{state.path} was not written by harbor-agent schedule install",
            "move the file, or give the schedule another name with --name",
        )
    return state


def _require_root() -> None:
    if os.geteuid() != 0:
        raise UsageError.of("schedule-not-root", f"only root can write to {systemd.UNITS}", "run the command with sudo")


def _write(changes: Sequence[FileChange]) -> None:
    tree = Tree("/")
    try:
        for change in changes:
            tree.write(change)
    except AgentError as error:
        message = error.problem.message.removeprefix("/")
        raise AgentError.of("schedule-failed", message, "fix the problem and run the same command again") from None


def _undo(timer: str, changes: Sequence[FileChange], *, was_enabled: bool) -> None:
    """Restore the files and the timer as far as possible; the cause of the failure may prevent that too."""
    if not was_enabled:
        with contextlib.suppress(AgentError):
            systemd.run_systemctl("disable", "--now", timer)
    tree = Tree("/")
    for change in changes:
        with contextlib.suppress(AgentError):
            if tree.state(change.path) != change.before:
                tree.write(FileChange(before=tree.state(change.path), after=change.before, reason=change.reason))
    with contextlib.suppress(AgentError):
        systemd.run_systemctl("daemon-reload")
        if was_enabled:
            systemd.run_systemctl("restart", timer)


def _load_templates() -> ScheduleTemplates:
    return ScheduleTemplates(
        service=resources.read_template("drift.service.j2"),
        timer=resources.read_template("drift.timer.j2"),
        crontab=resources.read_template("crontab.j2"),
    )

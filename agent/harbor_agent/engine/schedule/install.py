"""Runs by the clock on this machine: put in place, shown, and taken away without a trace."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.engine.schedule.request import as_user, require_reachable
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import FormatError
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
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from harbor_agent.engine.schedule.request import ReadySchedule
    from harbor_agent.planning.schedule import Schedule

_MARK = b"# Written by harbor-agent schedule install"
_MICROSECONDS = 1_000_000
# What systemd says in the place of a time where there is none (USEC_INFINITY).
_NEVER = 2**64 - 1
_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """How the last run since boot ended; `result` is systemd's word: "success", or a kind of failure."""

    moment: str
    exit_code: int
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledSchedule:
    """A schedule as it is in place. Moments are ISO 8601 in UTC; None where there is none, or systemd does not know."""

    unit: str
    is_enabled: bool
    is_active: bool
    is_running: bool
    when: str
    user: str
    command: str
    next_run: str | None
    last_run: LastRun | None


def unit_texts(schedule: Schedule) -> dict[str, str]:
    """Return the files by path, the service first. Raises UsageError for a path that cannot stand in one."""
    templates = _templates()
    return {
        f"{systemd.UNITS}/{schedule.unit}.service": render_service(schedule, templates.service),
        f"{systemd.UNITS}/{schedule.unit}.timer": render_timer(schedule, templates.timer),
    }


def crontab_line(schedule: Schedule) -> str:
    """Return what does the same through cron, with a comment above it.

    The minute is this machine's and this schedule's own, so that not all begin at once. Raises UsageError.
    """
    minute = zlib.crc32(f"{socket.gethostname()}/{schedule.unit}".encode()) % _MINUTES
    return render_crontab(schedule, _templates().crontab, minute=minute)


def plan_installation(ready: ReadySchedule) -> tuple[FileChange, ...]:
    """Return the files that would change. Raises UsageError where this machine or this user cannot have a timer."""
    schedule = ready.schedule
    if not systemd.is_systemd_here():
        raise UsageError.of(
            "schedule-no-systemd",
            "this machine was not booted with systemd, so there is no timer to install",
            f"put this into the crontab of {schedule.user} (crontab -e):\n{crontab_line(schedule).strip()}",
        )
    _require_root()
    if schedule.timing.calendar:
        systemd.require_calendar(schedule.timing.calendar)
    require_reachable(ready)
    tree = Tree("/")
    changes = []
    for path, text in unit_texts(schedule).items():
        before = _ours(tree.state(path))
        after = FileState(path=path, kind=FileKind.REGULAR, content=text.encode(), mode=0o644)
        if before != after:
            changes.append(FileChange(before=before, after=after, reason="a run by the clock"))
    return tuple(changes)


def is_on(unit: str) -> bool:
    """Whether the timer is waiting for its time, and will be after a reboot."""
    return systemd.check_state("is-enabled", f"{unit}.timer") and systemd.check_state("is-active", f"{unit}.timer")


def install(schedule: Schedule, changes: Sequence[FileChange]) -> None:
    """Put the files in place and start the timer. Raises AgentError; then everything is as it was before."""
    made = as_user(schedule.user, ["mkdir", "-p", "-m", "0700", "--", schedule.state_folder])
    if made.returncode:
        message = f"{schedule.user} has no folder for lock and history: {made.stderr.strip()}"
        raise AgentError.of("schedule-failed", message, "make it, or name another user with --user")
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
    """Return the files that go. Raises UsageError where there are none, they are not ours, or this is not root."""
    unit = build_unit_name(name)
    tree = Tree("/")
    states = [tree.state(f"{systemd.UNITS}/{unit}{kind}") for kind in (".timer", ".service")]
    there = [_ours(state) for state in states if state.exists]
    if not there:
        known = ", ".join(_unit_of(path) for path in _timers()) or "none"
        raise UsageError.of("schedule-missing", f"{unit} is not installed here (there is: {known})", "see --name")
    _require_root()
    gone = "it is not to run by the clock any more"
    return tuple(FileChange(before=state, after=FileState(path=state.path), reason=gone) for state in there)


def remove(name: str | None, changes: Sequence[FileChange]) -> None:
    """Stop timer and service, let a run that is under way come to its end, and leave nothing of them behind.

    Raises AgentError.
    """
    unit = build_unit_name(name)
    if systemd.is_systemd_here():
        files = {Path(change.path).name for change in changes}
        with _where_gone(f"{unit}.timer", files):
            systemd.run_systemctl("disable", "--now", f"{unit}.timer")
        with _where_gone(f"{unit}.service", files):
            systemd.stop(f"{unit}.service")
    _write(changes)
    if systemd.is_systemd_here():
        systemd.run_systemctl("daemon-reload")
        for failed in (f"{unit}.timer", f"{unit}.service"):
            # There is none where it never failed.
            with contextlib.suppress(AgentError):
                systemd.run_systemctl("reset-failed", failed)
    systemd.forget_last_trigger(f"{unit}.timer")


def _where_gone(file: str, files: Collection[str]) -> AbstractContextManager[None]:
    """Take no error of systemd's for one where somebody removed the file: it may know the unit still, or not."""
    return contextlib.nullcontext() if file in files else contextlib.suppress(AgentError)


def installed(name: str | None = None) -> list[InstalledSchedule]:
    """Return what is in place, by name; with `name` that one alone. Raises UsageError where that is no name."""
    units = [_unit_of(path) for path in _timers()]
    return [_installed(unit) for unit in units if name is None or unit == build_unit_name(name)]


def _installed(unit: str) -> InstalledSchedule:
    timer, service = f"{unit}.timer", f"{unit}.service"
    written = dict(_assignments(timer))
    served = dict(_assignments(service))
    every = written.get("OnUnitActiveSec")
    (state,) = systemd.read_properties(service, "Unit", "ActiveState")
    return InstalledSchedule(
        unit=unit,
        is_enabled=systemd.check_state("is-enabled", timer),
        is_active=systemd.check_state("is-active", timer),
        is_running=state in {"activating", "active", "deactivating"},
        when=f"every {every}" if every else written.get("OnCalendar", ""),
        user=served.get("User", ""),
        command=served.get("ExecStart", ""),
        next_run=_next_run(timer),
        last_run=_last_run(service),
    )


def _next_run(timer: str) -> str | None:
    by_clock, by_uptime = map(
        _number, systemd.read_properties(timer, "Timer", "NextElapseUSecRealtime", "NextElapseUSecMonotonic")
    )
    moments = [by_clock / _MICROSECONDS] if by_clock else []
    moments += [time.time() - time.monotonic() + by_uptime / _MICROSECONDS] if by_uptime else []
    return _iso(min(moments)) if moments else None


def _last_run(service: str) -> LastRun | None:
    ended, code, result = systemd.read_properties(
        service, "Service", "ExecMainExitTimestamp", "ExecMainStatus", "Result"
    )
    moment = _number(ended)
    if not moment:
        return None
    return LastRun(moment=_iso(moment / _MICROSECONDS), exit_code=_number(code), result=result)


def _number(text: str) -> int:
    """Return the number; 0 where there is none, or it stands for never."""
    number = int(text) if text.isdecimal() else 0
    return 0 if number == _NEVER else number


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _assignments(file: str) -> Iterator[tuple[str, str]]:
    """Yield what the file assigns, drop-ins aside."""
    with contextlib.suppress(FormatError):
        content = Tree("/").state(f"{systemd.UNITS}/{file}").content or b""
        yield from ((one.key, one.value) for one in parse_unit(content).assignments)


def _timers() -> list[str]:
    tree = Tree("/")
    prefix = build_unit_name(None)
    names = [name for name in tree.names(systemd.UNITS) if name.endswith(".timer") and name.startswith(prefix)]
    paths = [f"{systemd.UNITS}/{name}" for name in names]
    return [path for path in paths if (tree.state(path).content or b"").startswith(_MARK)]


def _unit_of(path: str) -> str:
    return Path(path).stem


def _ours(state: FileState) -> FileState:
    """Return the file, or that it is absent. Raises UsageError for one that somebody else wrote."""
    if state.exists and not (state.kind is FileKind.REGULAR and (state.content or b"").startswith(_MARK)):
        raise UsageError.of(
            "schedule-not-ours",
            f"{state.path} was not written by harbor-agent schedule install",
            "move it away, or give the schedule another name with --name",
        )
    return state


def _require_root() -> None:
    if os.geteuid() != 0:
        raise UsageError.of("schedule-not-root", f"only root may write in {systemd.UNITS}", "run it with sudo")


def _write(changes: Sequence[FileChange]) -> None:
    tree = Tree("/")
    try:
        for change in changes:
            tree.write(change)
    except AgentError as error:
        said = error.problem.message.removeprefix("/")
        raise AgentError.of("schedule-failed", said, "mend what it names and run the same command again") from None


def _undo(timer: str, changes: Sequence[FileChange], *, was_enabled: bool) -> None:
    """Bring everything back, as far as it goes: what stopped the way there may stop the way back."""
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


def _templates() -> ScheduleTemplates:
    return ScheduleTemplates(
        service=resources.read_template("drift.service.j2"),
        timer=resources.read_template("drift.timer.j2"),
        crontab=resources.read_template("crontab.j2"),
    )

"""The installed schedules of this machine, and how their last runs ended."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import FormatError
from harbor_agent.local import systemd
from harbor_agent.local.tree import Tree
from harbor_agent.model.state import FileKind
from harbor_agent.planning.schedule import build_unit_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.state import FileState

_MARK = b"# Written by harbor-agent schedule install"
_MICROSECONDS = 1_000_000
# The value of a time property of systemd that is not set (USEC_INFINITY).
_NEVER = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The last run since boot: its end (ISO 8601, UTC), and the exit code and the result that systemd has for it."""

    ended_at: str
    exit_code: int
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledSchedule:
    """An installed schedule. `next_run` is ISO 8601 in UTC, and missing if systemd has no time for it."""

    unit: str
    is_enabled: bool
    is_active: bool
    is_running: bool
    when: str
    user: str
    command: str
    next_run: str | None
    last_run: LastRun | None


def list_schedules(name: str | None = None) -> list[InstalledSchedule]:
    """Return the installed schedules, or only the one with this name. Raises UsageError for an invalid name."""
    return [_read_schedule(unit) for unit in list_units() if name is None or unit == build_unit_name(name)]


def list_units() -> list[str]:
    """Return the names of the installed schedules, without suffix."""
    tree = Tree("/")
    names = [name for name in tree.names(systemd.UNITS) if name.endswith(".timer")]
    files = {Path(name).stem: tree.state(f"{systemd.UNITS}/{name}") for name in names}
    prefix = build_unit_name(None)
    return [unit for unit, file in files.items() if unit.startswith(prefix) and is_ours(file)]


def is_ours(file: FileState) -> bool:
    """Whether `schedule install` wrote the file."""
    return file.kind is FileKind.REGULAR and (file.content or b"").startswith(_MARK)


def _read_schedule(unit: str) -> InstalledSchedule:
    timer, service = f"{unit}.timer", f"{unit}.service"
    timer_settings = dict(_read_assignments(timer))
    service_settings = dict(_read_assignments(service))
    every = timer_settings.get("OnUnitActiveSec")
    (state,) = systemd.read_properties(service, "Unit", "ActiveState")
    return InstalledSchedule(
        unit=unit,
        is_enabled=systemd.check_state("is-enabled", timer),
        is_active=systemd.check_state("is-active", timer),
        is_running=state in {"activating", "active", "deactivating"},
        when=f"every {every}" if every else timer_settings.get("OnCalendar", ""),
        user=service_settings.get("User", ""),
        command=service_settings.get("ExecStart", ""),
        next_run=_find_next_run(timer),
        last_run=_find_last_run(service),
    )


def _find_next_run(timer: str) -> str | None:
    by_clock, by_uptime = map(
        _parse_number, systemd.read_properties(timer, "Timer", "NextElapseUSecRealtime", "NextElapseUSecMonotonic")
    )
    moments = [by_clock / _MICROSECONDS] if by_clock else []
    moments += [time.time() - time.monotonic() + by_uptime / _MICROSECONDS] if by_uptime else []
    return _format_time(min(moments)) if moments else None


def _find_last_run(service: str) -> LastRun | None:
    ended, code, result = systemd.read_properties(
        service, "Service", "ExecMainExitTimestamp", "ExecMainStatus", "Result"
    )
    moment = _parse_number(ended)
    if not moment:
        return None
    return LastRun(ended_at=_format_time(moment / _MICROSECONDS), exit_code=_parse_number(code), result=result)


def _parse_number(text: str) -> int:
    """Return the number; 0 if there is no number, or if it means never."""
    number = int(text) if text.isdecimal() else 0
    return 0 if number == _NEVER else number


def _format_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _read_assignments(file: str) -> Iterator[tuple[str, str]]:
    """Yield the assignments of a unit file, without drop-ins."""
    with contextlib.suppress(FormatError):
        content = Tree("/").state(f"{systemd.UNITS}/{file}").content or b""
        yield from ((one.key, one.value) for one in parse_unit(content).assignments)

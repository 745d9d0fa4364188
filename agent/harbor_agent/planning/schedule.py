"""Runs by the clock: when, and as which files. Pure; systemd and cron are asked elsewhere."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from harbor_agent.errors import UsageError
from harbor_agent.planning.files.render import render_text

DEFAULT_CALENDAR = "hourly"
_SPAN = re.compile(r"([1-9]\d{0,3})(min|h|d)")
_SECONDS = {"min": 60, "h": 3600, "d": 86400}
_MINUTE, _HOUR, _DAY = _SECONDS["min"], _SECONDS["h"], _SECONDS["d"]
_SHORTEST = 5 * 60
_LONGEST_DELAY = 5 * 60
# Words of systemd.time(7) that cron has lines for; {} is the minute.
_CRON_OF_WORDS = {
    "hourly": "{} * * * *",
    "daily": "{} 0 * * *",
    "weekly": "{} 0 * * 1",
    "monthly": "{} 0 1 * *",
}
_CRON_WORDS = {_HOUR: "hourly", _DAY: "daily", 7 * _DAY: "weekly"}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Also bytes that are no UTF-8: systemd gives up on the whole file.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# What neither systemd nor a shell sees anything in.
_HARMLESS = re.compile(r"[A-Za-z0-9_./:,=+@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When: a calendar expression of systemd.time(7), or every so often such as "6h"; just one of them is given."""

    calendar: str = ""
    every: str = ""

    @property
    def seconds(self) -> int:
        """From run to run, 0 where the calendar says when."""
        found = _SPAN.fullmatch(self.every)
        return int(found[1]) * _SECONDS[found[2]] if found else 0

    @property
    def random_delay(self) -> int:
        """Seconds that a run may be late by, so that machines of one kind do not all begin at once."""
        return min(_LONGEST_DELAY, self.seconds // 10) if self.every else _LONGEST_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A file with a password, handed to the service under `name`, so that its user need not be able to read it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A run by the clock. `unit` is the name of service and timer, `command` what is run, in `folder`.

    `state_home` is the run's XDG_STATE_HOME, and `state_folder` the one in it with lock and history. `confined` is
    false where programs for a node run on this very machine: they change files that the service could not.
    """

    unit: str
    user: str
    is_root: bool
    command: tuple[str, ...]
    folder: str
    state_home: str
    state_folder: str
    timing: Timing
    corrects: bool = False
    confined: bool = True
    metrics_folder: str | None = None
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTemplates:
    """The texts of templates/drift.service.j2, drift.timer.j2 and crontab.j2."""

    service: str
    timer: str
    crontab: str


def unit_name(name: str | None) -> str:
    """Return what service and timer are called. Raises UsageError for a name that none of them can have."""
    if name is None:
        return "harbor-agent-drift"
    if not _NAME.fullmatch(name):
        raise UsageError.of("usage", f"'{name}' cannot be part of a unit's name", "use a-z, 0-9 and hyphens")
    return f"harbor-agent-drift-{name}"


def timing(every: str | None, calendar: str | None) -> Timing:
    """Return when; hourly where nothing is said. Raises UsageError."""
    if every is not None and calendar is not None:
        raise UsageError.of("flags-ambiguous", "--every and --on-calendar are two times", "name one of them")
    if every is None:
        expression = calendar if calendar is not None else DEFAULT_CALENDAR
        _require_no_control(expression)
        return Timing(calendar=expression)
    when = Timing(every=every)
    if not when.seconds:
        raise UsageError.of("usage", f"--every: '{every}' is no time", "write it such as 30min, 6h or 1d")
    if when.seconds < _SHORTEST:
        raise UsageError.of("usage", f"--every {every} is shorter than a look may take", "5min is the shortest")
    return when


def render_service(schedule: Schedule, template: str) -> str:
    """Return the service. Raises UsageError for a path that cannot stand in it."""
    return render_text(
        template,
        schedule=schedule,
        command=" ".join(map(_command_word, schedule.command)),
        folder=_path(schedule.folder),
        environment=_word(f"XDG_STATE_HOME={schedule.state_home}"),
        # One that is gone is passed over, so that the run goes on and says so.
        writable=[_word(f"-{path}") for path in (schedule.state_folder, schedule.metrics_folder) if path is not None],
        credentials=[(credential.name, _path(credential.path)) for credential in schedule.credentials],
    )


def render_timer(schedule: Schedule, template: str) -> str:
    """Return the timer."""
    return render_text(template, unit=schedule.unit, timing=schedule.timing)


def render_crontab(schedule: Schedule, template: str, *, minute: int) -> str:
    """Return the line for the user's crontab, run at `minute` of its hours.

    Credentials are read where they are, by the user. Raises UsageError where cron has no such time.
    """
    for text in (*schedule.command, schedule.folder, schedule.state_home):
        _require_no_control(text)
    command = (
        f"cd {shlex.quote(schedule.folder)} && "
        f"said=$(XDG_STATE_HOME={shlex.quote(schedule.state_home)} {shlex.join(schedule.command)} 2>&1); code=$?; "
        'case $code in 0|75) ;; *) echo "$said"; exit $code ;; esac'
    )
    # crontab(5): a percent sign ends the command unless a backslash stands before it
    return render_text(
        template, schedule=schedule, times=_cron_times(schedule.timing, minute), command=command.replace("%", "\\%")
    )


def _cron_times(when: Timing, minute: int) -> str:
    seconds = when.seconds
    word = when.calendar or _CRON_WORDS.get(seconds, "")
    if word in _CRON_OF_WORDS:
        return _CRON_OF_WORDS[word].format(minute)
    if seconds and seconds % _HOUR == 0 and _DAY % seconds == 0:
        return f"{minute} */{seconds // _HOUR} * * *"
    if seconds and _HOUR % seconds == 0:
        step = seconds // _MINUTE
        return f"{minute % step}-59/{step} * * * *"
    raise UsageError.of(
        "usage",
        "cron has no line for this time",
        "name a part of an hour or a day such as 15min, 6h or 1d, or hourly, daily, weekly, monthly",
    )


def _command_word(text: str) -> str:
    """Return a word of ExecStart= that arrives as `text`: systemd would expand variables in it."""
    return _word(text).replace("$", "$$")


def _word(text: str) -> str:
    """Return a word of a list in a unit, quoted where it must be, with no specifier in it."""
    _require_no_control(text)
    if _HARMLESS.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _path(text: str) -> str:
    """Return a path that is a whole value in a unit, where there are no quotes."""
    if "\\" in text or text != text.strip():
        raise _impossible(text)
    _require_no_control(text)
    return text.replace("%", "%%")


def _require_no_control(text: str) -> None:
    if _CONTROL.search(text):
        raise _impossible(text)


def _impossible(text: str) -> UsageError:
    return UsageError.of("usage", f"{text!r} cannot stand in a unit or a crontab", "give it another name")

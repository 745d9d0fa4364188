"""Scheduled drift checks: their times, and the text of service, timer and crontab line."""

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
# Words of systemd.time(7) that crontab(5) can express; {} is the minute.
_CRON_OF_WORDS = {
    "hourly": "{} * * * *",
    "daily": "{} 0 * * *",
    "weekly": "{} 0 * * 1",
    "monthly": "{} 0 1 * *",
}
_CRON_WORDS = {_HOUR: "hourly", _DAY: "daily", 7 * _DAY: "weekly"}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Surrogates are bytes that are not UTF-8: systemd rejects a whole file with one.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Text without a character that means something to systemd or a shell.
_HARMLESS = re.compile(r"[A-Za-z0-9_./:,=+@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The time of runs: a calendar expression of systemd.time(7), or an interval such as "6h"; one of the two is ""."""

    calendar: str = ""
    every: str = ""

    @property
    def seconds(self) -> int:
        """The interval in seconds; 0 for a calendar expression."""
        found = _SPAN.fullmatch(self.every)
        return int(found[1]) * _SECONDS[found[2]] if found else 0

    @property
    def random_delay(self) -> int:
        """The most seconds that systemd delays a run by, so that many controllers do not start at once."""
        return min(_LONGEST_DELAY, self.seconds // 10) if self.every else _LONGEST_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A password file that systemd passes to the service as `name`, so that its user need not be able to read it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A scheduled run: `unit` is the name of service and timer, `command` is run in `folder`.

    `state_home` is the run's XDG_STATE_HOME, and `state_folder` the folder in it with lock and history. `confined` is
    false if node programs run on this machine: they change files that a confined service cannot write.
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


def build_unit_name(name: str | None) -> str:
    """Return the name of service and timer, without suffix. Raises UsageError if `name` cannot be part of it."""
    if name is None:
        return "harbor-agent-drift"
    if not _NAME.fullmatch(name):
        raise UsageError.of("usage", f"invalid schedule name '{name}'", "use a-z, 0-9 and single hyphens")
    return f"harbor-agent-drift-{name}"


def parse_timing(every: str | None, calendar: str | None) -> Timing:
    """Return the time of runs, hourly by default. Raises UsageError for both options, or an invalid interval.

    systemd judges the calendar expression, not this function.
    """
    if every is not None and calendar is not None:
        raise UsageError.of("flags-ambiguous", "--every and --on-calendar cannot be used together", "use one of them")
    if every is None:
        expression = calendar if calendar is not None else DEFAULT_CALENDAR
        _require_no_control(expression)
        return Timing(calendar=expression)
    timing = Timing(every=every)
    if not timing.seconds:
        raise UsageError.of("usage", f"--every: invalid interval '{every}'", "use a value such as 30min, 6h or 1d")
    if timing.seconds < _SHORTEST:
        raise UsageError.of("usage", f"--every {every} is too short for a drift check", "use 5min or more")
    return timing


def render_service(schedule: Schedule, template: str) -> str:
    """Return the text of the service unit. Raises UsageError for a path that cannot be written in it."""
    return render_text(
        template,
        schedule=schedule,
        command=" ".join(map(_quote_command_word, schedule.command)),
        folder=_escape_path(schedule.folder),
        environment=_quote_word(f"XDG_STATE_HOME={schedule.state_home}"),
        # The leading "-" makes systemd ignore a missing folder, so that the run starts and reports it.
        writable=[
            _quote_word(f"-{path}") for path in (schedule.state_folder, schedule.metrics_folder) if path is not None
        ],
        credentials=[(credential.name, _escape_path(credential.path)) for credential in schedule.credentials],
    )


def render_timer(schedule: Schedule, template: str) -> str:
    """Return the text of the timer unit."""
    return render_text(template, unit=schedule.unit, timing=schedule.timing)


def render_crontab(schedule: Schedule, template: str, *, minute: int) -> str:
    """Return the lines for the user's crontab (a comment and the command), run at `minute` of the hour.

    The user reads the password files directly. Raises UsageError if cron cannot express the time.
    """
    for text in (*schedule.command, schedule.folder, schedule.state_home):
        _require_no_control(text)
    command = (
        f"cd {shlex.quote(schedule.folder)} && "
        f"said=$(XDG_STATE_HOME={shlex.quote(schedule.state_home)} {shlex.join(schedule.command)} 2>&1); code=$?; "
        'case $code in 0|75) ;; *) echo "$said"; exit $code ;; esac'
    )
    times = build_cron_times(schedule.timing, minute)
    # crontab(5): a percent sign ends the command unless it follows a backslash
    return render_text(template, schedule=schedule, times=times, command=command.replace("%", "\\%"))


def build_cron_times(timing: Timing, minute: int) -> str:
    """Return the five time fields of crontab(5), which a CronJob has too. Raises UsageError for other times."""
    seconds = timing.seconds
    word = timing.calendar or _CRON_WORDS.get(seconds, "")
    if word in _CRON_OF_WORDS:
        return _CRON_OF_WORDS[word].format(minute)
    if seconds and seconds % _HOUR == 0 and _DAY % seconds == 0:
        return f"{minute} */{seconds // _HOUR} * * *"
    if seconds and _HOUR % seconds == 0:
        step = seconds // _MINUTE
        return f"{minute % step}-59/{step} * * * *"
    raise UsageError.of(
        "usage",
        "cron cannot express this time",
        "use an even part of an hour or a day such as 15min, 6h or 1d, or hourly, daily, weekly, monthly",
    )


def _quote_command_word(text: str) -> str:
    """Return `text` as a word of ExecStart=, so that systemd expands no variable in it."""
    return _quote_word(text).replace("$", "$$")


def _quote_word(text: str) -> str:
    """Return `text` as a word of a list in a unit, in quotes if it needs them, with specifiers escaped."""
    _require_no_control(text)
    if _HARMLESS.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _escape_path(text: str) -> str:
    """Return a path as a whole value in a unit: such a value takes no quotes. Raises UsageError."""
    if "\\" in text or text != text.strip():
        raise _build_error(text)
    _require_no_control(text)
    return text.replace("%", "%%")


def _require_no_control(text: str) -> None:
    if _CONTROL.search(text):
        raise _build_error(text)


def _build_error(text: str) -> UsageError:
    return UsageError.of("usage", f"{text!r} cannot be written in a unit or a crontab", "use another name or path")

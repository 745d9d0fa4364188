"""The systemd of this machine: what installing, showing and removing a timer needs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from harbor_agent.errors import AgentError, UsageError

UNITS = "/etc/systemd/system"
# sd_booted(3) checks for this directory.
_BOOTED = Path("/run/systemd/system")
_STAMPS = Path("/var/lib/systemd/timers")
_BUS_NAME = "org.freedesktop.systemd1"
_TIMEOUT = 60.0
# Longer than the TimeoutStopSec= of templates/drift.service.j2.
_STOP_TIMEOUT = 400.0


def is_systemd_here() -> bool:
    """Whether this machine was booted with systemd."""
    return _BOOTED.is_dir()


def run_systemctl(*arguments: str, timeout: float = _TIMEOUT) -> None:
    """Run systemctl. Raises AgentError (`schedule-failed`) with the last line of its error output."""
    done = _run(["systemctl", *arguments], timeout)
    if done.returncode:
        output = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise AgentError.of(
            "schedule-failed",
            f"systemctl {shlex.join(arguments)}: {output[-1]}",
            "fix the cause and run the same command again",
        )


def stop(unit: str) -> None:
    """Stop a unit and wait for its end. Raises AgentError (`schedule-failed`)."""
    run_systemctl("stop", unit, timeout=_STOP_TIMEOUT)


def check_state(question: str, unit: str) -> bool:
    """Whether systemctl answers `question` with yes: "is-enabled", "is-active" or "is-failed"."""
    return _run(["systemctl", question, "--quiet", unit], _TIMEOUT).returncode == 0


def read_properties(unit: str, interface: str, *names: str) -> list[str]:
    """Return properties of a unit in the order of `names`, as text; all are "" if systemd does not answer.

    `interface` is "Timer", "Service" or "Unit"; times are microseconds (org.freedesktop.systemd1(5)).
    """
    escaped = re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", unit)
    place = [_BUS_NAME, f"/org/freedesktop/systemd1/unit/{escaped}", f"{_BUS_NAME}.{interface}"]
    done = _run(["busctl", "--system", "get-property", *place, *names], _TIMEOUT)
    values = [(shlex.split(line) or [""])[-1] for line in done.stdout.splitlines()]
    return values if done.returncode == 0 and len(values) == len(names) else [""] * len(names)


def require_calendar(expression: str) -> None:
    """Raise UsageError if systemd rejects the calendar expression; without systemd-analyze, check nothing."""
    if not shutil.which("systemd-analyze"):
        return
    done = _run(["systemd-analyze", "calendar", "--", expression], _TIMEOUT)
    if done.returncode:
        output = done.stderr.strip().splitlines() or ["systemd rejects the expression"]
        hint = "use hourly, '*-*-* 02:00', 'Mon..Fri 08..18:30' or the like; see systemd.time(7)"
        raise UsageError.of("usage", f"--on-calendar: {output[0]}", hint)


def forget_last_trigger(timer: str) -> None:
    """Remove the time stamp of a persistent timer's last run, which systemd keeps on disk."""
    (_STAMPS / f"stamp-{timer}").unlink(missing_ok=True)


def _run(argv: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a program of systemd; one that is missing or exceeds `timeout` counts as failed."""
    try:
        return subprocess.run(  # noqa: S603 - the command is ours
            argv, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 1, "", str(error))

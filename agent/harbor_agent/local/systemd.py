"""The systemd of this very machine, as far as a timer needs it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from harbor_agent.errors import AgentError, UsageError

UNITS = "/etc/systemd/system"
# What sd_booted(3) looks for.
_BOOTED = Path("/run/systemd/system")
_STAMPS = Path("/var/lib/systemd/timers")
_BUS_NAME = "org.freedesktop.systemd1"
_QUICK = 60.0
# Longer than the TimeoutStopSec= of our service.
_UNTIL_STOPPED = 400.0


def is_systemd_here() -> bool:
    """Whether this machine was booted with systemd."""
    return _BOOTED.is_dir()


def systemctl(*arguments: str, timeout: float = _QUICK) -> None:
    """Have systemctl do something. Raises AgentError (`schedule-failed`) with its own words."""
    done = _run(["systemctl", *arguments], timeout)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise AgentError.of(
            "schedule-failed",
            f"systemctl {shlex.join(arguments)}: {said[-1]}",
            "mend what it names and run the same command again",
        )


def stop(unit: str) -> None:
    """Stop a unit and wait for its end. Raises AgentError (`schedule-failed`)."""
    systemctl("stop", unit, timeout=_UNTIL_STOPPED)


def is_so(question: str, unit: str) -> bool:
    """Return systemctl's answer to `is-enabled`, `is-active`, `is-failed`."""
    return _run(["systemctl", question, "--quiet", unit], _QUICK).returncode == 0


def properties(unit: str, interface: str, *names: str) -> list[str]:
    """Return properties of a unit in the order of `names`, as text; "" for each where systemd does not answer.

    `interface` is "Timer", "Service" or "Unit"; times are microseconds (org.freedesktop.systemd1(5)).
    """
    escaped = re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", unit)
    place = [_BUS_NAME, f"/org/freedesktop/systemd1/unit/{escaped}", f"{_BUS_NAME}.{interface}"]
    done = _run(["busctl", "--system", "get-property", *place, *names], _QUICK)
    values = [(shlex.split(line) or [""])[-1] for line in done.stdout.splitlines()]
    return values if done.returncode == 0 and len(values) == len(names) else [""] * len(names)


def require_calendar(expression: str) -> None:
    """Raise UsageError where systemd does not take the calendar expression, as far as it can be asked."""
    if not shutil.which("systemd-analyze"):
        return
    done = _run(["systemd-analyze", "calendar", "--", expression], _QUICK)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["systemd does not take it"]
        hint = "such as hourly, '*-*-* 02:00' or 'Mon..Fri 08..18:30'; systemd.time(7) has them all"
        raise UsageError.of("usage", f"--on-calendar: {said[0]}", hint)


def forget_last_trigger(timer: str) -> None:
    """Remove what a persistent timer keeps on disk."""
    (_STAMPS / f"stamp-{timer}").unlink(missing_ok=True)


def _run(argv: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a program of systemd's; one that is not there, or hangs, is one that says no."""
    try:
        return subprocess.run(  # noqa: S603 - the command is ours
            argv, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 1, "", str(error))

"""What the user of a schedule can read and write."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.planning.schedule import Schedule

# PrivateTmp= gives the service its own directories in place of these.
_HIDDEN = ("/tmp", "/var/tmp")  # noqa: S108 - compared with, nothing is written there
# Prints the arguments that fail: each is an operator of test(1) and a path.
_LIST_FAILED = 'for one; do test "-${one%%:*}" "${one#*:}" || printf "%s\\n" "$one"; done'
_TIMEOUT = 30


def require_access(schedule: Schedule, readable: Sequence[str]) -> None:
    """Raise UsageError if the user of the schedule cannot read these paths, or cannot write where the run writes.

    Requires root for another user than that of this process.
    """
    paths = [*readable, *([schedule.metrics_folder] if schedule.metrics_folder else [])]
    hidden = [path for path in paths if schedule.confined and _is_hidden(path)]
    if hidden:
        raise UsageError.of(
            "schedule-path-closed",
            f"the scheduled run cannot read {hidden[0]}: it has a /tmp of its own",
            "use another directory, such as the home directory",
        )
    needed = [f"r:{path}" for path in readable]
    needed += [f"w:{schedule.metrics_folder}"] if schedule.metrics_folder else []
    needed.append(f"w:{_find_existing_parent(Path(schedule.state_folder))}")
    done = run_as_user(schedule.user, ["/bin/sh", "-c", _LIST_FAILED, "sh", *needed])
    if closed := done.stdout.splitlines():
        letter, _, path = closed[0].partition(":")
        raise UsageError.of(
            "schedule-path-closed",
            f"user '{schedule.user}' cannot {'read' if letter == 'r' else 'write to'} {path}",
            "change its permissions, or name another user with --user; "
            f"to check, run as that user: test -{letter} {shlex.quote(path)}",
        )


def run_as_user(name: str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as that user, with the groups of that user only. Raises UsageError if that fails."""
    account = find_account(name)
    is_another = account.pw_uid != os.geteuid()
    try:
        return subprocess.run(  # noqa: S603 - the command is ours
            argv,
            check=False,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            cwd="/",
            user=account.pw_uid if is_another else None,
            group=account.pw_gid if is_another else None,
            extra_groups=os.getgrouplist(name, account.pw_gid) if is_another else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError.of(
            "schedule-path-closed", f"cannot run a command as user '{name}': {error}", "run harbor-agent as root"
        ) from None


def find_account(name: str | None) -> pwd.struct_passwd:
    """Return the account, by default of the calling user, also with sudo. Raises UsageError if it is unknown."""
    caller = os.geteuid()
    if name is None and caller == 0:
        name = os.environ.get("SUDO_USER")
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(caller)
    except KeyError:
        message = f"--user: no user '{name or caller}' on this machine"
        raise UsageError.of("usage", message, "create the user, or name another one with --user") from None


def _find_existing_parent(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _is_hidden(path: str) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in _HIDDEN)

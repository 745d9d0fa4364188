"""Processes of this machine, named so that a number that is used again is not taken for the process that had it."""

from __future__ import annotations

import os
from pathlib import Path

_ENDED = frozenset("ZXx")  # a zombie has ended too; its parent has not asked how yet


def identify_process(process: int) -> str:
    """Return boot, PID namespace, user, number and start of a process; "" if there is none, or the system does not say.

    Source: proc(5), /proc/sys/kernel/random/boot_id and fields 3 and 22 of /proc/PID/stat.
    """
    folder = Path("/proc") / str(process)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The name of the program, in parentheses, may have spaces.
        facts = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if facts[0] in _ENDED:
            return ""
        space, user = (folder / "ns/pid").readlink(), folder.stat().st_uid
    except OSError:
        return ""
    return f"{boot} {space} {user} {process} {facts[19]}"


def has_ended(identity: str) -> bool:
    """Whether a process is known to have ended, by what `identify_process` returned for it.

    False as well for one of another machine, container or user, which this process does not see.
    """
    if not identity:
        return False
    *place, number, _ = identity.split(" ")
    is_seen = identify_process(os.getpid()).split(" ")[: len(place)] == place
    return is_seen and identify_process(int(number)) != identity

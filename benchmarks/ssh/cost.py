"""What a command costs: wall time, the CPU of its whole process tree, and how much memory that tree has at its peak."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS_BETWEEN_LOOKS = 0.1
PAGE = os.sysconf("SC_PAGE_SIZE")
# What is installed has its bytecode; where none may be written, a working copy is compiled anew by each start.
WITH_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds; `status` and `said` tell whether the work was done."""

    wall: float
    cpu: float
    status: int
    said: str


def run(command: Sequence[str], home: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command in `home`, which is its HOME too. CPU is that of all processes that it waited for."""
    with (home / "said").open("w+b") as said:
        begin = time.monotonic()
        process = subprocess.Popen(
            command, cwd=home, env=_environment(home, environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime, status=process.returncode, said=text)


def peak_memory(command: Sequence[str], home: Path, environment: Mapping[str, str]) -> int:
    """Return the most bytes that the process and its descendants had resident, looked at ten times a second."""
    process = subprocess.Popen(
        command,
        cwd=home,
        env=_environment(home, environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peaks = [0]
    ended = Event()

    def look() -> None:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            peaks[0] = max(peaks[0], resident(process.pid))

    watcher = Thread(target=look)
    watcher.start()
    process.wait()
    ended.set()
    watcher.join()
    return peaks[0]


def resident(root: int) -> int:
    """Return the resident bytes of a process and its descendants."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        children.setdefault(int(fields[1]), []).append(pid)
        pages[pid] = int(fields[21])
    family, found = [root], 0
    while family:
        pid = family.pop()
        found += pages.get(pid, 0)
        family += children.get(pid, [])
    return found * PAGE


def _environment(home: Path, own: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "XDG_"))}
    return {**inherited, **WITH_BYTECODE, "HOME": str(home), **own}

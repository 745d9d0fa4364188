"""The way of the tests into a booted node as its root: through its namespaces, which takes no login and no network."""

from __future__ import annotations

from pathlib import Path

# What sshd gives a command of root's.
_LOGIN = (
    *("HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash"),
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)


def enter(supervisor: Path, command: str) -> list[str]:
    """Return what runs a shell command as root on the node whose systemd-nspawn has its process id in a file.

    It ends with 255 if the node is down, as ssh does.
    """
    init = _find_init(supervisor)
    if init is None:
        return ["sh", "-c", "echo 'the node is down' >&2; exit 255"]
    shell = ["env", "-i", "--chdir=/root", *_LOGIN, "bash", "-c", command]
    return ["nsenter", f"--target={init}", "--all", "--root", "--wd", *shell]


def _find_init(supervisor: Path) -> int | None:
    """Return the process of this machine that is the node's first; None if the node is down."""
    try:
        pid = supervisor.read_text().strip()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # While it starts, systemd-nspawn has a child that is still in namespaces of this machine.
        return next((int(child) for child in children if _is_first(child)), None)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_first(pid: str) -> bool:
    """Return whether a process is the first one of a PID namespace below that of this machine (proc(5), NSpid)."""
    status = Path(f"/proc/{pid}/status").read_text()
    pids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(pids) > 1 and pids[-1] == "1"

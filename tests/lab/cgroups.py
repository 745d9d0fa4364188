"""A control group of its own for each node, where the machine's init does not give it one.

Nodes that shared a group would see each other's services stop. On a machine that runs systemd, systemd-nspawn asks for
a scope instead and nothing here is needed.
"""

from __future__ import annotations

from pathlib import Path

from tests.lab.waiting import wait_until

_ROOT = Path("/sys/fs/cgroup")
_ENTER = 'for group; do [ "$group" != -- ] || break; echo $$ >"$group/cgroup.procs"; shift; done; shift; exec "$@"'


def host_has_systemd() -> bool:
    """Return whether systemd is process 1, as sd_booted(3) tells it."""
    return Path("/run/systemd/system").is_dir()


def create(name: str) -> list[Path]:
    """Create the group `name` in every hierarchy and return their folders."""
    groups = [hierarchy / name for hierarchy in _hierarchies()]
    for group in groups:
        group.mkdir(exist_ok=True)
        for inherited in ("cpuset.cpus", "cpuset.mems"):  # cgroup v1: empty in a new group, and no process may enter
            if (group / "cgroup.clone_children").exists() and (group / inherited).exists():
                (group / inherited).write_text((group.parent / inherited).read_text())
    return groups


def entering(groups: list[Path], argv: list[str]) -> list[str]:
    """Return the command that moves itself into `groups` and then becomes `argv`."""
    return ["/bin/sh", "-c", _ENTER, "sh", *map(str, groups), "--", *argv]


def remove(name: str) -> None:
    """Remove the group `name` and those inside it, everywhere; its processes are gone or about to be."""

    def gone() -> bool:
        groups = [hierarchy / name for hierarchy in _hierarchies() if (hierarchy / name).is_dir()]
        for group in groups:
            inner = [path for path in group.rglob("*") if path.is_dir()]
            for path in (*sorted(inner, key=lambda path: len(path.parts), reverse=True), group):
                try:
                    # runc freezes what it starts; a process that is frozen when the power goes cannot be killed.
                    if (path / "freezer.state").exists():
                        (path / "freezer.state").write_text("THAWED")
                except OSError:  # its group is gone meanwhile
                    continue
                try:
                    path.rmdir()
                except OSError:  # busy until the kernel has reaped the last process
                    continue
        return not groups

    wait_until(gone, f"control group {name} is empty", seconds=20)


def _hierarchies() -> list[Path]:
    """Return the root of the unified hierarchy, or of every cgroup v1 hierarchy."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    folders = [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path for path in folders if (path / "cgroup.procs").exists()]

"""The root file system that every node of a lab is an overlay over: built once a machine, then kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.mirror import debian_mirror

if TYPE_CHECKING:
    from collections.abc import Iterator

SUDO_PASSWORD = "let ops in"

_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "iptables",
    "ca-certificates",
    "curl",
    "busybox",
    "docker.io",
    "containerd",
)
# From trixie on Debian ships the docker client as a package of its own.
_EXTRA_PACKAGES = {"bookworm": ()}
_LATER_EXTRA_PACKAGES = ("docker-cli",)

_SETUP = f"""\
set -eu
useradd --create-home --shell /bin/bash ops
useradd --create-home --shell /bin/bash opspw
echo 'opspw:{SUDO_PASSWORD}' | chpasswd
echo 'ops ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ops
echo 'opspw ALL=(ALL) ALL' >/etc/sudoers.d/opspw
rm -f /etc/ssh/ssh_host_*
cat >/etc/ssh/sshd_config.d/lab.conf <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
MaxStartups 200
UseDNS no
END
# On a host with cgroup v1 the controllers are read-only inside the node until they are bound again.
cat >/etc/systemd/system/lab-cgroups.service <<'END'
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=-/bin/sh -c 'for c in cpu cpuacct cpuset memory devices freezer blkio pids; do \
  [ ! -d /sys/fs/cgroup/$c ] || mount -o remount,bind,rw /sys/fs/cgroup/$c; done'
[Install]
WantedBy=sysinit.target
END
systemctl enable --quiet lab-cgroups.service
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer systemd-timesyncd.service
"""

# A trixie with a later Debian's containerd unpacked over its own: that package needs libc 2.34 only, while the later
# Debian itself does not boot on a host with cgroup v1.
CONTAINERD_2 = "trixie-containerd-2"
CONTAINERD_VERSIONS = {"bookworm": "1.6", "trixie": "1.7", CONTAINERD_2: "2.1"}
_CONTAINERD_2_FROM = "forky"
_CONTAINERD_2_SETUP = """\
mkdir -p /tmp/later/lists/partial
cd /tmp/later
echo 'deb {mirror} {suite} main' >sources.list
set -- -q -o Dir::Etc::sourcelist=/tmp/later/sources.list -o Dir::Etc::sourceparts=/dev/null \
  -o Dir::State::lists=/tmp/later/lists -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root
apt-get "$@" update
apt-get "$@" download containerd
dpkg-deb --extract containerd_*.deb /
cd /
rm -rf /tmp/later
"""


def cache_folder() -> Path:
    """Return where bases and running labs are kept: $HARBOR_AGENT_LAB_CACHE or /var/cache/harbor-agent-lab."""
    folder = Path(os.environ.get("HARBOR_AGENT_LAB_CACHE") or "/var/cache/harbor-agent-lab")
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on `path` for as long as the block runs; the descriptor is yielded."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def base_root(suite: str = "bookworm", packages: tuple[str, ...] = ()) -> Path:
    """Return a root file system of `suite` with docker, sshd, sudo and `packages`, building it where it is not cached.

    `suite` is the name of a Debian or `CONTAINERD_2`. A build takes half a minute to two minutes and appears under its
    name only when it is complete; two runs never build at once. Nodes have no Python.
    """
    wanted = _packages(suite, packages)
    own = _CONTAINERD_2_SETUP if suite == CONTAINERD_2 else ""
    digest = hashlib.sha256("\n".join((suite, *wanted, _SETUP + own)).encode()).hexdigest()[:12]
    root = cache_folder() / f"base-{suite}-{digest}"
    if root.is_dir():
        return root
    # The build holds the lock too: where this process is killed, the next one waits for the orphan to end.
    with locked(cache_folder() / "build.lock") as lock:
        if not root.is_dir():
            _build(root, suite, wanted, lock)
    return root


def _packages(suite: str, extra: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_PACKAGES, *_EXTRA_PACKAGES.get(suite, _LATER_EXTRA_PACKAGES), *sorted(extra))))


def _build(root: Path, suite: str, packages: tuple[str, ...], lock: int) -> None:
    unfinished = root.with_name(f"unfinished-{root.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    included = f"--include={','.join(packages)}"
    script, debian = _SETUP, suite
    if suite == CONTAINERD_2:
        script += _CONTAINERD_2_SETUP.format(mirror=debian_mirror(), suite=_CONTAINERD_2_FROM)
        debian = "trixie"
    setup = f"--customize-hook=chroot \"$1\" /bin/sh <<'SETUP'\n{script}SETUP"
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", included, setup, debian, str(unfinished), debian_mirror()]
    subprocess.run(argv, check=True, pass_fds=(lock,), stdin=subprocess.DEVNULL)
    unfinished.rename(root)

"""A node whose runtime is a stand-in for k3s or RKE2 (rancher_stand_in.sh), with a real containerd."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.shapes import RUNC
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.lab.node import LabNode

_HERE = Path(__file__).parent
# k3s's install.sh. The stand-in is no single process, so a child of it says when it is ready (NotifyAccess=).
_UNIT = """\
[Unit]
Description=Stand-in for Lightweight Kubernetes
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/systemd/system/{unit}.env
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/{program} \\
    {role} \\

"""
_UNITS = {"k3s-server": "k3s.service", "k3s-agent": "k3s-agent.service"}


def install_stand_in(node: LabNode, program: str, role: str, *, writes_mirrors: bool = False) -> None:
    """Write k3s or rke2 as a server or an agent onto a node without Docker, before it boots.

    With `writes_mirrors` it is one from before January 2024, which takes a registry only by a restart.
    """
    root, unit = node.root, unit_of(program, role)
    data = Path("var/lib/rancher") / program
    binaries = root / data / "data/lab/bin"
    for folder in (root / data / "agent/containerd", binaries, root / "etc/rancher" / program):
        folder.mkdir(parents=True)
    # an overlay cannot be mounted on the one that the node is on
    (root / "etc/fstab").write_text(f"tmpfs /{data}/agent/containerd tmpfs mode=711 0 0\n", encoding="utf-8")
    for path, text in {
        f"usr/local/bin/{program}": (_HERE / "rancher_stand_in.sh").read_text(encoding="utf-8"),
        "usr/local/sbin/runc": RUNC,
    }.items():
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755)
    # kubelet and the daemon itself are the shell, by another name
    for name in ("k3s-server", "k3s-agent", "rke2", "kubelet"):
        shutil.copy(root / "bin/bash", binaries / name)
    # the lab itself uses ctr where Debian has it
    shutil.copy(root / "usr/bin/ctr", binaries)
    shutil.move(root / "usr/bin/containerd", binaries)
    if writes_mirrors:
        (root / "etc/rancher" / program / "mirrors").touch()
    units = root / "etc/systemd/system"
    (units / unit).write_text(_UNIT.format(unit=unit, program=program, role=role), encoding="utf-8")
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants" / unit).symlink_to(f"../{unit}")


def unit_of(program: str, role: str) -> str:
    """Return the unit of a server or an agent."""
    return _UNITS.get(f"{program}-{role}", f"{program}-{role}.service")


def wait_ready(node: LabNode) -> None:
    """Return when the containerd of the stand-in has CRI."""
    ready = "systemctl is-active k3s k3s-agent rke2-server rke2-agent | grep -qx active"
    wait_until(lambda: node.succeeds(ready), f"{node.name}'s stand-in is up", seconds=60)

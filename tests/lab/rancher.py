"""Nodes whose runtime is a stand-in for k3s, RKE2 (rancher_stand_in.sh) or k0s, with a real containerd."""

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
_K0S_CONFIG = '# k0s_managed=true\nversion = 2\nimports = ["/run/k0s/containerd-cri.toml"]\n'
_K0S_DIRECTORIES = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.6"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/k0s/certs.d"
"""
_K0S_UNIT = """\
[Unit]
Description=Stand-in for k0s
[Service]
ExecStart=/usr/local/bin/k0s worker
KillMode=process
Restart=always
[Install]
WantedBy=multi-user.target
"""
_LEFT_BEHIND = "[Service]\nExecStart=/usr/local/bin/k3s server\n[Install]\nWantedBy=multi-user.target\n"
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


def install_k0s_stand_in(node: LabNode) -> None:
    """Write a worker of k0s (k0s_stand_in.sh) onto a node without Docker, and the unit of a k3s that was removed."""
    root = node.root
    for path, text in {
        "usr/local/bin/k0s": (_HERE / "k0s_stand_in.sh").read_text(encoding="utf-8"),
        "etc/k0s/containerd.toml": _K0S_CONFIG,
        "etc/k0s/containerd.d/registry.toml": _K0S_DIRECTORIES,
        "etc/systemd/system/k0sworker.service": _K0S_UNIT,
        "etc/systemd/system/k3s.service": _LEFT_BEHIND,
        "etc/fstab": "tmpfs /var/lib/k0s/containerd tmpfs mode=711 0 0\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755 if text.startswith("#!") else 0o644)
    binaries, library = root / "var/lib/k0s/bin", root / "usr/local/lib/k0s"
    for folder in (binaries, library, root / "var/lib/k0s/containerd"):
        folder.mkdir(parents=True)
    shutil.copy(root / "bin/bash", binaries / "kubelet")
    shutil.move(root / "usr/bin/containerd", binaries)
    shutil.move(root / "usr/bin/ctr", library)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in ("k0sworker.service", "k3s.service"):
        (wants / unit).symlink_to(f"../{unit}")


def unit_of(program: str, role: str) -> str:
    """Return the unit of a server or an agent."""
    return _UNITS.get(f"{program}-{role}", f"{program}-{role}.service")


def wait_ready(node: LabNode) -> None:
    """Return when the containerd of the stand-in has CRI."""
    ready = "systemctl is-active k3s k3s-agent rke2-server rke2-agent | grep -qx active"
    wait_until(lambda: node.succeeds(ready), f"{node.name}'s stand-in is up", seconds=60)

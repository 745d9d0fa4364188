"""A node whose runtime is a stand-in for CRI-O: the lab's Debian has none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.node import LabNode

_HERE = Path(__file__).parent
_UNIT = """\
[Unit]
Description=Stand-in for CRI-O
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/local/bin/crio
ExecReload=/bin/kill -s HUP $MAINPID
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
# A kubelet that does nothing but name its runtime.
_KUBELET_UNIT = """\
[Unit]
Description=Stand-in for kubelet
After=crio.service
[Service]
ExecStart=/usr/local/bin/kubelet --container-runtime-endpoint=unix:///var/run/crio/crio.sock
[Install]
WantedBy=multi-user.target
"""
_KUBELET = """\
#!/bin/sh
[ "$1" = --version ] && echo 'Kubernetes v1.31.0' && exit
while :; do sleep 1000; done
"""


def install_stand_in(node: LabNode) -> None:
    """Write the stand-ins onto a node with podman before it boots; without curl it is crictl that pulls."""
    root = node.root
    for name, text in {
        "crio": (_HERE / "crio_stand_in.sh").read_text(encoding="utf-8"),
        "crictl": (_HERE / "crictl_stand_in.sh").read_text(encoding="utf-8"),
        "kubelet": _KUBELET,
    }.items():
        (root / "usr/local/bin" / name).write_text(text, encoding="utf-8")
        (root / "usr/local/bin" / name).chmod(0o755)
    units = root / "etc/systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for name, text in {"crio.service": _UNIT, "kubelet.service": _KUBELET_UNIT}.items():
        (units / name).write_text(text, encoding="utf-8")
        (wants / name).symlink_to(f"../{name}")
    (root / "usr/bin/curl").unlink()

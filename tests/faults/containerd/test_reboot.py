"""A reboot in the middle of a change: the files are restored before any unit that reads them starts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import CONFIG, assert_invariants, expect
from tests.faults.controller import applying_held
from tests.faults.invariants import assert_reported
from tests.lab import cri

if TYPE_CHECKING:
    from tests.faults.controller import Order
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

# Each starts as early in the boot as a unit can, and notes whether the file has what the change adds.
_READERS = ("crio", "k3s", "k3s-agent", "kubelet")
_READER = f"""\
[Unit]
DefaultDependencies=no
After=local-fs.target systemd-remount-fs.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /var/seen && grep -c certs.d {CONFIG} >/var/seen/%N || :'
[Install]
WantedBy=sysinit.target
"""


def _reboot(node: LabNode) -> None:
    # A process of a pod that ignores SIGTERM would delay it by 90 seconds.
    pods = [process.partition("-")[0] for process in cri.list_processes(node).values()]
    node.run(f"kill -KILL {' '.join(pods)}")
    node.reboot()


def test_nothing_boots_with_half_a_change(order: Order) -> None:
    steps = ("swapped-3", "health", "committed")
    for node in order.nodes:
        for name in _READERS:
            (node.root / f"etc/systemd/system/{name}.service").write_text(_READER)
        node.run(f"systemctl daemon-reload; systemctl enable {' '.join(_READERS)}")
    try:
        expected = expect(order)
        with applying_held(order, steps) as (running, points):
            for point in points:
                assert "certs.d" in (point.node.root / CONFIG.lstrip("/")).read_text()
            with ThreadPoolExecutor() as pool:
                list(pool.map(_reboot, order.nodes))
            for point in points:
                point.release()
            ended = running.end(seconds=300)
        found = assert_invariants(order, expected, ended, pods_end=True)
        for point in points:
            which = "new" if point.step == "committed" else "old"
            assert_reported(ended, point.node.name, {"new": "changed", "old": "rolled_back"}[which])
            assert found[point.node.name] == which
            seen = point.node.run("cd /var/seen && grep . *; rm -r /var/seen").stdout.splitlines()
            assert seen == [f"{name}:{int(which == 'new')}" for name in sorted(_READERS)]
    finally:
        for node in order.nodes:
            node.run(f"systemctl disable {' '.join(_READERS)}", check=False)
            node.run(f"cd /etc/systemd/system; rm -f {' '.join(f'{name}.service' for name in _READERS)}")
            node.run("systemctl daemon-reload")

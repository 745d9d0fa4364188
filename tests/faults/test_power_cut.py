"""A real power cut loses what was not synced: every file is old or new afterwards, and the next boot decides."""

from __future__ import annotations

import random
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_invariants, assert_reported
from tests.faults.power_cuts import cut_all
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.place import FaultSite
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

# Nothing reaches the disk by itself for ten minutes, and a rename does not write what it renames.
_OPTIONS = "loop,commit=600,noauto_da_alloc"


def _do(*argv: str | Path) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A node's /etc and state on an ext4 of their own; killing a node's init alone would lose nothing."""

    node: LabNode

    @property
    def image(self) -> Path:
        """What stands on the disk, without what is still in memory."""
        return self.node.folder / "disk.img"

    @property
    def place(self) -> Path:
        """Where it is mounted."""
        return self.node.folder / "disk"

    @property
    def parts(self) -> dict[str, Path]:
        """Its folders, and what they are on the node."""
        return {"etc": self.node.root / "etc", "state": self.node.root / "var/lib/harbor-agent"}

    def create(self) -> None:
        """Make it, with what the node has."""
        self.place.mkdir()
        # Filled without being mounted: a mount that some other namespace has seen outlives its umount, unwritten.
        for name, folder in self.parts.items():
            folder.mkdir(exist_ok=True)
            _do("cp", "-a", folder, self.place / name)
        _do("mkfs.ext4", "-q", "-F", "-d", self.place, self.image, "128M")
        for name in self.parts:
            shutil.rmtree(self.place / name)

    def mount(self) -> None:
        """Put it where the node has these folders; the node is off."""
        _do("mount", "-o", _OPTIONS, self.image, self.place)
        for name, folder in self.parts.items():
            _do("mount", "--bind", self.place / name, folder)

    def unmount(self) -> None:
        """Take it away; the node is off."""
        for place in (*self.parts.values(), self.place):
            if place.is_mount():
                _do("umount", place)

    @property
    def copy(self) -> Path:
        """What stood on the disk when `remember` was called."""
        return self.image.with_suffix(".copy")

    def remember(self) -> None:
        """Keep what is on the disk at this moment, and not what is in memory: what a power cut would leave."""

        def is_of_one_moment() -> bool:
            _do("cp", "--sparse=always", self.image, self.copy)
            return subprocess.run(["cmp", "--silent", self.image, self.copy], check=False).returncode == 0

        # Whoever calls sync(1) meanwhile, on any of the nodes, writes this disk too.
        wait_until(is_of_one_moment, f"the disk of {self.node.name} holds still", seconds=30)

    def cut(self) -> None:
        """Cut the power, and switch it on again with no more than what was remembered."""
        self.node.power_off()
        self.unmount()
        self.copy.replace(self.image)
        self.mount()
        self.node.start()


@pytest.fixture(scope="module")
def disks(site: FaultSite) -> Iterator[list[Disk]]:
    disks = [Disk(node=node) for node in site.all_nodes]
    with ExitStack() as stack:
        for disk in disks:
            disk.node.power_off()
            stack.callback(disk.node.start)
            stack.callback(disk.unmount)
            stack.callback(disk.node.power_off)
            disk.create()
            disk.mount()
            disk.node.start()
        for disk in disks:
            disk.node.wait_ready()
        yield disks
    # With the folders as they were before: an older state, and a whole one.
    for disk in disks:
        disk.node.wait_ready()


# Six nodes at once, so that every step is met on both generations.
_TOGETHER = [
    ("begun", "preflight", "prepared", "armed", "swapping-1", "swapped-1"),
    ("armed", "swapping-1", "swapped-1", "activating", "health", "committed"),
    ("activating", "health", "committed", "begun", "preflight", "prepared"),
]


@pytest.mark.parametrize("steps", _TOGETHER, ids="-".join)
def test_whatever_was_not_synced_the_node_boots_old_or_new(
    site: FaultSite, disks: list[Disk], steps: tuple[str, ...]
) -> None:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    points = [Failpoint(node, step) for node, step in zip(site.all_nodes, steps, strict=True)]
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
        # All at once: the first that boots syncs what it restores, and with it every disk of this machine.
        for disk in disks:
            (disk.place / "etc/unsynced").write_text("lost")
            disk.remember()
        for disk in disks:
            disk.cut()
        for disk, point in zip(disks, points, strict=True):
            assert not (disk.place / "etc/unsynced").exists()
            point.release()
        ended = running.end()
    found = assert_invariants(site, expected, ended)
    for point in points:
        before_any_change = dict.fromkeys(("begun", "preflight", "prepared"), "refused")
        outcome = {**before_any_change, "committed": "changed"}.get(point.step, "rolled_back")
        words = f"went down after step {point.step}" * (outcome == "rolled_back")
        assert_reported(ended, point.node.name, outcome, words)
        assert found[point.node.name] == ("new" if outcome == "changed" else "old")


def test_an_immutable_file_is_refused(site: FaultSite, disks: list[Disk]) -> None:
    # Only on a disk of their own have these files attributes: an overlay keeps none.
    concerned = (disks[1], disks[4])
    order = Order(site=site, nodes=[disk.node for disk in concerned])
    expected = order.expect()
    files = [disk.place / file.lstrip("/") for disk in concerned for file in expected[disk.node.name].files]
    try:
        for file in files:
            _do("chattr", "+i", file)
            with pytest.raises(PermissionError):
                file.write_text("")
        ended = order.apply()
    finally:
        for file in files:
            _do("chattr", "-i", file)
    assert ended.code == 5, ended.stdout
    for name in expected:
        assert_reported(ended, name, "refused")
        assert ended.node(name)["code"] == "file-not-writable"
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")


@pytest.mark.field("attack-1")
def test_six_nodes_whose_power_is_cut_during_the_restart_are_what_the_report_says(site: FaultSite) -> None:
    # `make power-cuts` makes more of them; another seed each time, so that other moments are tried.
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    assert cut_all(site, random.Random(seed)).total() == len(site.all_nodes)

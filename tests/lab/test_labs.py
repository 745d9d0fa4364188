"""Labs keep to themselves, and leave nothing behind whatever happens to their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.network import namespaces
from tests.lab.nodes import Lab, sweep
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("nodes")

_OWNER = """\
import signal
import subprocess
from tests.lab.nodes import Lab
with Lab() as lab:
    subprocess.Popen(["tail", "-f", lab.folder / "owner"], stdout=subprocess.DEVNULL)
    print(lab.name, lab.folder, flush=True)
    signal.pause()
"""


def _traces(name: str, folder: Path) -> list[str]:
    """Everything that carries a lab's name: namespaces, mounts, control groups, processes, files."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if name in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}-*")]
    processes = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if f"/{name}/" in _text(path)]
    return [*namespaces(name), *mounts, *groups, *processes, *map(str, folder.glob("*"))]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_two_labs_run_side_by_side() -> None:
    with Lab() as one, Lab() as other:
        for lab in (one, other):
            lab.nodes[0].run(f"touch /root/{lab.name}")
        for lab in (one, other):
            assert lab.nodes[0].run("ls /root").stdout.split() == [lab.name]
            lab.nodes[0].run("systemctl restart docker && docker info")


def test_what_a_killed_owner_leaves_is_swept() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert owner.stdout
        name, folder = owner.stdout.readline().split()
        sweep()
        assert _traces(name, Path(folder)), "a lab whose owner lives is left alone"
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()
    assert _traces(name, Path(folder)), "the kill came too late to leave anything"
    sweep()
    assert _traces(name, Path(folder)) == []


def test_a_failure_while_booting_leaves_nothing() -> None:
    lab = Lab(prepare=lambda _node: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt), lab:
        pass
    assert _traces(lab.name, lab.folder) == []


def test_a_silenced_node_answers_nothing_until_it_is_restored() -> None:
    with Lab() as lab:
        (node,) = lab.nodes
        with lab.silenced(node):
            assert not node.answers()
        wait_until(node.answers, "the node answers again", seconds=60)


def test_a_node_comes_back_after_a_power_cut_and_renewed_as_at_first() -> None:
    with Lab(shapes=("kubekey",)) as lab:
        (node,) = lab.nodes
        node.run("touch /root/kept && sync")
        node.power_off()
        assert not node.succeeds("true")
        node.start()
        node.wait_ready()
        node.run("test -e /root/kept")
        node.renew()
        node.wait_ready()
        node.run("! test -e /root/kept")

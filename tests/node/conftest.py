"""A node made of files: the real programs under a real shell, systemd and Docker as stubs that keep state."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.nodes import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.program import Program
    from tests.lab.node import LabNode

_STUBS = Path(__file__).parent / "world"
_APPLETS = (
    *("base64", "cat", "chmod", "chown", "cp", "cut", "env", "grep", "head", "id", "ln", "ls", "mkdir", "mktemp", "mv"),
    *("readlink", "rm", "rmdir", "sed", "sha256sum", "sleep", "sort", "stat", "tail", "timeout", "touch", "tr", "wc"),
    "xargs",
)
_MOUNT = """
for folder in etc run var/lib; do mount --bind "$1/$folder" "/$folder" || exit 96; done
for program in $HIDDEN; do
  folder=${program%/*} upper=/run/upper$(printf %s "${program%/*}" | tr / .)
  if mkdir "$upper" 2>/dev/null; then
    mkdir "$upper/new" "$upper/work"
    mount -t overlay -o "lowerdir=$folder,upperdir=$upper/new,workdir=$upper/work" overlay "$folder" || exit 96
  fi
  rm "$program" || exit 96
done
[ -z "$UPTIME" ] || mount --bind "$UPTIME" /proc/uptime || exit 96
[ -z "$NO_MEMORY" ] || for folder in run dev/shm; do mount --bind /sys "/$folder" || exit 96; done
unset HIDDEN NO_MEMORY UPTIME
shift
exec "$@"
"""


class World:
    """One node below a scratch directory; inside it, that directory's etc, run and var/lib are the system's."""

    def __init__(self, root: Path, shell: str, memory: Path) -> None:
        self.root = root
        self.shell = shell
        self.state = root / "state"
        for folder in ("etc/docker", "etc/systemd/system", "etc/default", "var/lib", "state"):
            (root / folder).mkdir(parents=True)
        # /run is in memory, as on a real node.
        (root / "run").symlink_to(memory)
        (root / "run/systemd/system").mkdir(parents=True)
        self.memory = True
        self._hidden: list[str] = []
        (root / "run/world").write_text(str(self.state))
        for name in ("lock", "live.flags", "live.file", "containers", "calls"):
            self.set(name, "")
        self.set("active", "active\n")
        self.set("unread", "no\n")
        self.set("live-restore", "false\n")
        self.set("swarm", "inactive\n")
        self.set("system", "running\n")
        self.set("daemon.pid", f"{os.getpid()}\n")
        self.file("/etc/systemd/system/docker.service").write_text("[Service]\nExecStart=/usr/bin/dockerd\n")
        self._path = f"{_STUBS}:{os.environ['PATH']}"
        if shell.startswith("busybox"):
            self._path = f"{_STUBS}:{self._applets()}:{os.environ['PATH']}"

    def _applets(self) -> Path:
        """Make a folder in which every tool is busybox's."""
        folder = self.root / "applets"
        folder.mkdir()
        for applet in _APPLETS:
            (folder / applet).symlink_to(shutil.which("busybox") or "busybox")
        return folder

    def replace(self, program: str, behaviour: str) -> None:
        """Let shell text decide before the stub of that name is asked."""
        folder = self.root / "replaced"
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(f'#!/bin/sh\n{behaviour}\nexec {_STUBS / program} "$@"\n')
        (folder / program).chmod(0o755)
        self._path = f"{folder}:{self._path}"

    def let_time_fly(self) -> None:
        """From now on a sleep takes no time, and brings the node's clock on by a second."""
        self.set("uptime", Path("/proc/uptime").read_text())
        tick = 'read -r seconds idle </proc/uptime; echo "$((${seconds%.*} + 1)).00 $idle" >/proc/uptime'
        self.replace("sleep", f"{tick}; exit")

    def hide(self, *programs: str) -> None:
        """Take programs off the node."""
        found = [shutil.which(program, path=self._path) for program in programs]
        self._hidden += [os.path.realpath(path) for path in found if path]

    def set(self, name: str, text: str) -> None:
        (self.state / name).write_text(text)

    def get(self, name: str) -> str:
        path = self.state / name
        return path.read_text() if path.exists() else ""

    def file(self, path: str) -> Path:
        """Return where the node's file lies for us."""
        return self.root / path.lstrip("/")

    def wait_until_unlocked(self) -> None:
        deadline = time.monotonic() + 10
        while self.get("lock").strip():
            assert time.monotonic() < deadline, "the transaction's unit does not end"
            time.sleep(0.02)

    def live(self) -> set[str]:
        return set((self.get("live.flags") + self.get("live.file")).split())

    def run(self, program: Program) -> bytes:
        return self.execute([*self.shell.split(), "-s", "--", *program.arguments], program.stdin).stdout

    def execute(self, command: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": self._path,
            "WORLD": str(self.state),
            "WORLD_SHELL": self.shell,
            "HIDDEN": " ".join(self._hidden),
            "NO_MEMORY": "" if self.memory else "yes",
            "UPTIME": str(self.state / "uptime") if self.get("uptime") else "",
            "REAL_SYNC": shutil.which("sync") or "sync",
        }
        mounted = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh", str(self.root), *command]
        return subprocess.run(mounted, input=stdin, env=environment, capture_output=True, check=False, timeout=60)

    def recover(self, transaction: str) -> None:
        """Boot: the boot's id is another one, nothing holds the lock, and recovery runs if it is armed."""
        folder = self.file(f"/var/lib/harbor-agent/transactions/{transaction}")
        (folder / "boot-id").write_text("another\n")
        shutil.rmtree(self.file("/run/harbor-agent-transaction"), ignore_errors=True)
        self.set("lock", "")
        self.set("active", "inactive\n")
        self.set("system", "starting\n")
        if self.file("/etc/systemd/system/harbor-agent-recovery.service").exists():
            script = f"/var/lib/harbor-agent/transactions/{transaction}/transaction.sh"
            self.execute([*self.shell.split(), script, "recover", transaction])
        self.execute(["systemctl", "restart", "docker.service"])
        self.set("system", "running\n")
        self.wait_until_unlocked()


@pytest.fixture(params=["dash", "busybox sh", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not shutil.which(name.split(maxsplit=1)[0]):
        pytest.skip(f"needs {name.split(maxsplit=1)[0]}: apt-get install {name.split(maxsplit=1)[0]}")
    return name


@pytest.fixture
def world(tmp_path: Path, shell: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="harbor-agent-test.") as memory:
        yield World(tmp_path / "node", shell, Path(memory))


@pytest.fixture(scope="package")
def containerd_lab() -> Iterator[Lab]:
    """Booted nodes, one for each containerd of `CONTAINERD_VERSIONS`, and after them one with Docker."""
    shapes = ("containerd-kubespray",) * len(CONTAINERD_VERSIONS)
    with Lab(shapes=(*shapes, "docker.io"), suites=(*CONTAINERD_VERSIONS, "bookworm")) as lab:
        yield lab


@pytest.fixture(params=CONTAINERD_VERSIONS.values())
def containerd_node(request: pytest.FixtureRequest, containerd_lab: Lab) -> Iterator[LabNode]:
    """One of them, with the files that it had at first, when the test ends too."""
    node = containerd_lab.nodes[list(CONTAINERD_VERSIONS.values()).index(request.param)]
    node.run("cp -a /etc/containerd /root/containerd.before")
    yield node
    node.run(
        "rm -rf /etc/containerd /etc/systemd/system/containerd.service.d && mv /root/containerd.before /etc/containerd;"
        "systemctl daemon-reload; systemctl reset-failed containerd; systemctl restart containerd"
    )
    node.wait_ready()

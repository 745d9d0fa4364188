"""A lab: real nodes, and a controller's place beside them, for as long as a `with` block lasts.

    with Lab(shapes=("docker.io", "kubespray")) as lab:
        lab.nodes[0].run("docker info")
        lab.run(["harbor-agent", "plan", "-i", str(lab.write_inventory())])

Everything a lab makes carries its name, so labs run side by side; what a killed run left is swept by the next one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.base import base_root, cache_folder, locked
from tests.lab.network import CONTROLLER, Network
from tests.lab.node import LabNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from tests.lab.shapes import Shape


class Lab:
    """Nodes and a controller in a network of their own. Needs root; see tests/needs.py for the programs.

    `shapes` is how Docker is set up on each node, repeated up to `nodes` of them (one each if that is not given), and
    `suites` the Debian that each of them is, repeated likewise. `packages` are installed beside the usual ones.
    `prepare` is called for each node before it boots.
    """

    def __init__(
        self,
        *,
        nodes: int | None = None,
        shapes: Sequence[Shape] = ("docker.io",),
        suites: Sequence[str] = ("bookworm",),
        packages: tuple[str, ...] = (),
        prepare: Callable[[LabNode], None] | None = None,
    ) -> None:
        self.name = f"harbor-{secrets.token_hex(3)}"
        self.address = CONTROLLER
        self.network = Network(name=self.name)
        self.folder = _labs() / self.name
        self.nodes: tuple[LabNode, ...] = ()
        self._shapes = tuple(islice(cycle(shapes), nodes or len(shapes)))
        self._suites = tuple(islice(cycle(suites), len(self._shapes)))
        self._packages, self._prepare = packages, prepare

    def __enter__(self) -> Self:
        """Boot the nodes; return when all of them are ready. On any failure everything is taken down again."""
        bases = [base_root(suite, self._packages) for suite in self._suites]
        sweep()
        with ExitStack() as undo:
            undo.callback(self.close)
            with locked(_labs() / "lock"):
                self.folder.mkdir(mode=0o700)
                (self.folder / "owner").write_text(json.dumps(_identity(os.getpid())))
            self._boot(bases)
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take everything down."""
        self.close()

    def _boot(self, bases: Sequence[Path]) -> None:
        self._create_keys()
        self.network.create(len(self._shapes))
        self.nodes = tuple(
            LabNode(
                number=number,
                shape=shape,
                network=self.network,
                folder=self.folder / f"node{number}",
                keys=self.folder,
                base=base,
            )
            for number, (shape, base) in enumerate(zip(self._shapes, bases, strict=True), 1)
        )
        host_key = " ".join((self.folder / "hostkey.pub").read_text().split()[:2])
        self.known_hosts.write_text("".join(f"{node.address} {host_key}\n" for node in self.nodes))
        for node in self.nodes:
            node.prepare()
            if self._prepare:
                self._prepare(node)
            node.start()
        for node in self.nodes:
            node.wait_ready()

    def _create_keys(self) -> None:
        for name in ("id", "hostkey"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
            subprocess.run(argv, check=True)
        self.home.mkdir(mode=0o700)
        (self.home / ".ssh").mkdir(mode=0o700)
        (self.home / ".ssh/known_hosts").symlink_to(self.known_hosts)

    @property
    def private_key(self) -> Path:
        """The key that logs in as root, ops (sudo without a password) and opspw (base.SUDO_PASSWORD)."""
        return self.folder / "id"

    @property
    def known_hosts(self) -> Path:
        """The host keys of all nodes."""
        return self.folder / "known_hosts"

    @property
    def home(self) -> Path:
        """A home for what runs on the controller, with nothing in it but known_hosts."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of what runs on the controller."""
        own = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        own.pop("KUBECONFIG", None)
        return {**own, "HOME": str(self.home)}

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 300,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the controller, its streams captured; the exit code is the caller's to judge.

        `env` is added to the environment; HOME is the lab's, and no proxy or cluster of the machine's is known.
        """
        return subprocess.run(
            self.network.inside(argv),
            check=False,
            capture_output=True,
            text=True,
            input=stdin,
            env={**self.environment, **(env or {})},
            cwd=cwd,
            timeout=timeout,
        )

    def write_inventory(
        self,
        name: str = "inventory.ini",
        *,
        user: str = "ops",
        nodes: Sequence[LabNode] | None = None,
        variables: Mapping[str, str] | None = None,
        host_variables: Mapping[str, Mapping[str, str]] | None = None,
        further_hosts: Mapping[str, str] | None = None,
    ) -> Path:
        """Write an Ansible inventory of the nodes (all by default) and return its path.

        `host_variables` maps a host's name to variables of its own; `further_hosts` names to addresses of hosts
        that are no node of the lab.
        """
        hosts = {node.name: node.address for node in self.nodes if nodes is None or node in nodes}
        lines = ["[nodes]"]
        for host, address in {**hosts, **(further_hosts or {})}.items():
            own = {"ansible_host": address, **(host_variables or {}).get(host, {})}
            lines.append(" ".join((host, *(f"{key}={json.dumps(value)}" for key, value in own.items()))))
        everywhere = {
            "ansible_user": user,
            "ansible_become": str(user != "root").lower(),
            "ansible_ssh_private_key_file": str(self.private_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts}",
            **(variables or {}),
        }
        lines += ["", "[nodes:vars]", *(f"{key}={json.dumps(value)}" for key, value in everywhere.items()), ""]
        path = self.folder / name
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return path

    @contextmanager
    def silenced(self, node: LabNode) -> Iterator[None]:
        """Make `node` answer nothing for as long as the block runs."""
        self.network.silence(node.address)
        try:
            yield
        finally:
            self.network.restore(node.address)

    def close(self) -> None:
        """Stop everything that the lab started and remove all of it; safe to repeat."""
        _remove(self.folder)


def sweep() -> None:
    """Remove what is left of labs whose owner is gone, such as after kill -9."""
    with locked(_labs() / "lock"):
        for name in abandoned():
            _remove(_labs() / name)


def abandoned() -> list[str]:
    """Return the names of labs whose owner is gone but of which something is left."""
    # In this order: a lab has a folder before it has namespaces, and for longer.
    spaces = {path.name[: len("harbor-123456")] for path in Path("/run/netns").glob("harbor-*")}
    folders = {folder.name: folder for folder in _labs().glob("harbor-*")}
    return sorted({name for name, folder in folders.items() if not _owner_lives(folder)} | (spaces - folders.keys()))


def _remove(folder: Path) -> None:
    """Remove the lab in `folder`, which is named as it is. Everything is found by that name, nothing by memory."""
    network = Network(name=folder.name)
    with ExitStack() as steps:
        if folder.is_dir():
            steps.callback(shutil.rmtree, folder)
        steps.callback(_end_processes_of, folder)
        steps.callback(network.remove)
        for node_folder in sorted(folder.glob("node[0-9]*")):
            number = int(node_folder.name.removeprefix("node"))
            node = LabNode(
                number=number, shape="no-docker", network=network, folder=node_folder, keys=folder, base=folder
            )
            steps.callback(node.remove)


def _end_processes_of(folder: Path) -> None:
    """Kill what was started with a path in the lab's folder and runs outside its network, such as an API server."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"{folder}/".encode() in command.read_bytes():
                os.kill(int(command.parent.name), signal.SIGKILL)


def _labs() -> Path:
    folder = cache_folder() / "labs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _identity(pid: int) -> dict[str, str | int] | None:
    """Return what tells a process from a later one with the same pid; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"pid": pid, "started": int(fields[19]), "boot": boot}


def _owner_lives(folder: Path) -> bool:
    try:
        owner = json.loads((folder / "owner").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(_identity(owner["pid"]) == owner)

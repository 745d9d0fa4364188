"""A network of network namespaces that reaches nothing outside itself.

The controller's namespace holds a bridge; each node has a namespace of its own, joined to it. Only the names of the
namespaces are seen by the rest of the machine, so two labs use the same addresses without meeting.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROLLER = "10.99.0.1"
NOBODY = "10.99.0.250"
_PREFIX = 24
_NOBODYS_HARDWARE = "02:00:00:00:00:fe"


def ip(*arguments: str) -> str:
    """Run ip(8) and return what it prints. Raises CalledProcessError with its words on stderr."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The namespaces of one lab: `name` for the controller, `name-K` for node K."""

    name: str

    def node(self, number: int) -> str:
        """Return the name of the namespace of node `number`."""
        return f"{self.name}-{number}"

    def create(self, nodes: int) -> None:
        """Create the controller's namespace and those of nodes 1 to `nodes`."""
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "link", "add", "br0", "type", "bridge")
        ip("-n", self.name, "addr", "add", f"{CONTROLLER}/{_PREFIX}", "dev", "br0")
        ip("-n", self.name, "link", "set", "br0", "up")
        self.silence(NOBODY)
        for number in range(1, nodes + 1):
            self._join(number)

    def _join(self, number: int) -> None:
        node = self.node(number)
        ip("netns", "add", node)
        ip("-n", self.name, "link", "add", f"v{number}", "type", "veth", "peer", "name", "host0", "netns", node)
        ip("-n", self.name, "link", "set", f"v{number}", "master", "br0", "up")
        ip("-n", node, "addr", "add", f"{address_of(number)}/{_PREFIX}", "dev", "host0")
        ip("-n", node, "link", "set", "lo", "up")
        ip("-n", node, "link", "set", "host0", "up")
        ip("-n", node, "route", "add", "default", "via", CONTROLLER)

    def silence(self, address: str) -> None:
        """Make every packet from the controller to `address` vanish: no answer, no error, as behind a dead switch."""
        ip("-n", self.name, "neigh", "replace", address, "lladdr", _NOBODYS_HARDWARE, "dev", "br0", "nud", "permanent")

    def restore(self, address: str) -> None:
        """Undo `silence`."""
        ip("-n", self.name, "neigh", "del", address, "dev", "br0")

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in the controller's namespace."""
        return ["ip", "netns", "exec", self.name, *argv]

    def remove(self) -> None:
        """End every process in the namespaces and remove them; missing ones are no error."""
        for name in namespaces(self.name):
            end_processes_in(name)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def address_of(number: int) -> str:
    """Return the address of node `number`."""
    return f"10.99.0.{10 + number}"


def namespaces(name: str) -> list[str]:
    """Return those of a lab's namespaces that exist, the nodes' first."""
    folder = Path("/run/netns")
    found = sorted(entry.name for entry in folder.glob(f"{name}-*")) if folder.is_dir() else []
    return [*found, name] if (folder / name).exists() else found


def end_processes_in(namespace: str) -> None:
    """Kill what runs in a namespace, by pid: nothing enters one but what its lab has started."""

    def gone() -> bool:
        pids = subprocess.run(["ip", "netns", "pids", namespace], check=False, capture_output=True, text=True).stdout
        for pid in pids.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not pids.split()

    wait_until(gone, f"the processes in namespace {namespace} are gone", seconds=60, every=0.02)

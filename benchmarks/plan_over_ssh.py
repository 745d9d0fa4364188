"""What the transport costs over bare paramiko: one probe-sized program on 100 loopback hosts, with the same forks.

    python benchmarks/plan_over_ssh.py [HOSTS [FORKS [ROUNDS]]]

Both sides run in this process, turn and turn about, so that the machine's mood counts for both. Wall time, and the CPU
of this process alone: the servers' is not in it. Needs root for sshd's sake. Prints a table; always ends with 0.
"""

from __future__ import annotations

import base64
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import paramiko

from agent.model.inventory import Node
from agent.model.program import Program
from agent.resources import node_program
from agent.transport.protocol import Completed, Job
from agent.transport.ssh import SshTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULTS = (100, 10, 5)
ADDRESSES_OF_ONE_SSHD = 16
CONFIG = """
Port {port}
{listen}
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
MaxStartups 1000
HostKey {home}/host
AuthorizedKeysFile {home}/client.pub
LogLevel ERROR
"""


@dataclass(frozen=True, kw_only=True)
class Hosts:
    home: Path
    port: int
    addresses: tuple[str, ...]


def main() -> None:
    given = tuple(map(int, sys.argv[1:]))
    count, forks, rounds = (*given, *DEFAULTS[len(given) :])
    if os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists():
        print("needs root and /usr/sbin/sshd: nothing was measured")
        return
    with serving(count) as hosts:
        sides = {"bare paramiko": partial(bare, hosts, forks), "transport": partial(through_transport, hosts, forks)}
        for side in sides.values():
            side()
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                costs[name].append(cost(side))
    report(costs, count=count, forks=forks)


@contextmanager
def serving(count: int) -> Iterator[Hosts]:
    addresses = tuple(f"127.0.1.{number}" for number in range(1, count + 1))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        home = Path(name)
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True)
        with socket.create_server((addresses[0], 0)) as probe:
            port = probe.getsockname()[1]
        kind, key, *_ = (home / "host.pub").read_text().split()
        (home / "known_hosts").write_text("".join(f"[{address}]:{port} {kind} {key}\n" for address in addresses))
        Path("/run/sshd").mkdir(exist_ok=True)
        for first in range(0, count, ADDRESSES_OF_ONE_SSHD):
            listen = "\n".join(f"ListenAddress {address}" for address in addresses[first:][:ADDRESSES_OF_ONE_SSHD])
            config = home / f"sshd_config_{first}"
            config.write_text(CONFIG.format(port=port, listen=listen, home=home))
            server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.terminate)
        wait_until_listening(addresses, port)
        yield Hosts(home=home, port=port, addresses=addresses)


def wait_until_listening(addresses: tuple[str, ...], port: int) -> None:
    end = time.monotonic() + 20
    for address in addresses:
        while True:
            try:
                socket.create_connection((address, port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def bare(hosts: Hosts, forks: int) -> None:
    """Run `echo` on every host with nothing but paramiko; keys are read once."""
    key = paramiko.PKey.from_path(hosts.home / "client")
    kind, encoded, *_ = (hosts.home / "host.pub").read_text().split()
    host_key = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded))

    def one(address: str) -> bytes:
        with paramiko.SSHClient() as client:
            client.get_host_keys().add(f"[{address}]:{hosts.port}", kind, host_key)
            client.connect(address, hosts.port, "root", pkey=key, allow_agent=False, look_for_keys=False)
            _, stdout, _ = client.exec_command("echo done")
            return stdout.read()

    with ThreadPoolExecutor(forks) as pool:
        assert set(pool.map(one, hosts.addresses)) == {b"done\n"}


def through_transport(hosts: Hosts, forks: int) -> None:
    """Run a program of the probe's size on every host, with all that the transport promises."""
    padding = b"# this line is as good as one of the probe's\n"
    program = Program(stdin=padding * (len(node_program("probe.sh")) // len(padding)) + b"echo done\n")
    transport = SshTransport(forks=forks, known_hosts=[hosts.home / "known_hosts"])
    nodes = [
        Node(name=a, address=a, port=hosts.port, user="root", private_key_file=str(hosts.home / "client"))
        for a in hosts.addresses
    ]
    results = list(transport.run(Job(node=node, program=program) for node in nodes))
    assert {r.stdout if isinstance(r, Completed) else r.problem for r in results} == {b"done\n"}


def cost(side: Callable[[], None]) -> tuple[float, float]:
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    side()
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(costs: dict[str, list[tuple[float, float]]], *, count: int, forks: int) -> None:
    print(f"{count} hosts, {forks} forks, median of {len(next(iter(costs.values())))} rounds")
    print(f"{'':15}{'wall s':>10}{'CPU s':>10}{'CPU ms a host':>16}")
    medians = {name: [median(column) for column in zip(*rows, strict=True)] for name, rows in costs.items()}
    for name, (wall, cpu) in medians.items():
        print(f"{name:15}{wall:10.2f}{cpu:10.2f}{cpu / count * 1000:16.1f}")
    (bare_wall, bare_cpu), (wall, cpu) = medians.values()
    print(f"{'ratio':15}{wall / bare_wall:10.2f}{cpu / bare_cpu:10.2f}   (each at most 2 is asked for)")


if __name__ == "__main__":
    main()

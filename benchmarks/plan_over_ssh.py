"""What `harbor-agent plan` costs over bare paramiko, on 100 loopback hosts, with the same forks and the same probe.

    python -m benchmarks.plan_over_ssh [HOSTS [FORKS [ROUNDS]]]

Both sides are processes of their own, start-up and imports included, turn and turn about, so that the machine's mood
counts for both. Wall time, and the CPU of that process alone: the servers' is not in it. Needs root for sshd's sake.
Prints a table; always ends with 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from agent.node.wire import probe_program
from benchmarks.ssh.nodes import can_serve, serving

if TYPE_CHECKING:
    from benchmarks.ssh.nodes import Hosts

DEFAULTS = (100, 10, 5)
REGISTRY = "192.168.0.99"


@dataclass(frozen=True, kw_only=True)
class Cost:
    wall: float
    cpu: float


def main() -> None:
    given = tuple(map(int, sys.argv[1:]))
    count, forks, rounds = (*given, *DEFAULTS[len(given) :])
    if not can_serve():
        print("needs root, /usr/sbin/sshd and a merged /usr: nothing was measured")
        return
    with serving(count) as hosts:
        sides = {"bare paramiko": bare_paramiko(hosts, forks), "harbor-agent plan": harbor_agent(hosts, forks)}
        said = {name: run(command, hosts)[1] for name, command in sides.items()}
        check(said, count)
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, command in sides.items():
                costs[name].append(run(command, hosts)[0])
    report(costs, count=count, forks=forks)


def bare_paramiko(hosts: Hosts, forks: int) -> list[str]:
    (hosts.home / "program.sh").write_bytes(f"set -- {REGISTRY}; ".encode() + probe_program([]).stdin)
    script = Path(__file__).parent / "ssh/bare_paramiko.py"
    return [sys.executable, str(script), str(hosts.home), str(hosts.port), str(forks), *hosts.addresses]


def harbor_agent(hosts: Hosts, forks: int) -> list[str]:
    nodes = "".join(f"node{n} ansible_host={address}\n" for n, address in enumerate(hosts.addresses, start=1))
    (hosts.home / "inventory.ini").write_text(
        f"[docker]\n{nodes}\n[docker:vars]\nansible_user=root\nansible_port={hosts.port}\n"
        f"ansible_ssh_private_key_file={hosts.home}/client\n"
    )
    command = [sys.executable, "-m", "agent.cli", "plan", "-i", "inventory.ini", "--registry", REGISTRY]
    return [*command, "--forks", str(forks)]


def run(command: list[str], hosts: Hosts) -> tuple[Cost, str]:
    """Run a command in the hosts' folder as its home; return what it cost and what it said."""
    with (hosts.home / "said").open("w+b") as said:
        begin = time.monotonic()
        process = subprocess.Popen(
            command, cwd=hosts.home, env={**os.environ, "HOME": str(hosts.home)}, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    assert process.returncode == 0, text
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime), text


def check(said: dict[str, str], count: int) -> None:
    """Make sure that both sides did the work: every host was probed whole, and every host is to change."""
    bare, agent = said.values()
    assert bare.count("harbor-agent/probe/1 end\n") == count, bare[-2000:]
    assert f"\nPlan: {count} to change" in agent, agent[-2000:]


def report(costs: dict[str, list[Cost]], *, count: int, forks: int) -> None:
    print(f"{count} hosts, {forks} forks, median of {len(next(iter(costs.values())))} rounds")
    print(f"{'':18}{'wall s':>10}{'CPU s':>10}{'CPU ms a host':>16}")
    medians = [Cost(wall=median(c.wall for c in row), cpu=median(c.cpu for c in row)) for row in costs.values()]
    for name, cost in zip(costs, medians, strict=True):
        print(f"{name:18}{cost.wall:10.2f}{cost.cpu:10.2f}{cost.cpu / count * 1000:16.1f}")
    bare, agent = medians
    print(f"{'ratio':18}{agent.wall / bare.wall:10.2f}{agent.cpu / bare.cpu:10.2f}   (each at most 2 is asked for)")


if __name__ == "__main__":
    main()

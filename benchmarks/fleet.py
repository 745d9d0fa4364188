"""What a fleet costs harbor-agent, beside bare paramiko, parallel-ssh, pyinfra and Ansible on the same hosts.

    python -m benchmarks.fleet [--forks N] [--rounds N] [--write FILE] [HOSTS...]

Loopback hosts with real sshd and shells (benchmarks/ssh/nodes.py); their systemctl and docker are stubs, so that what
is measured is the controller, not the nodes. All sides are processes of their own, start-up and imports included, turn
and turn about, with the same number of hosts at a time. Peers come into environments of their own, by pip, in the
user's cache. Memory, connections and bytes are of further runs that are not timed; round trips are what 50 ms of
latency add to a run over ten hosts, one after the other. Needs root for sshd's sake. Prints tables and, with --write,
puts them between the marks in FILE. A side that does not do its work ends it all, with what that side said.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.ssh import cost, sides
from benchmarks.ssh.applied import apply_to
from benchmarks.ssh.dead import with_dead_hosts
from benchmarks.ssh.nodes import can_serve, serving
from benchmarks.ssh.relay import relayed
from benchmarks.ssh.report import tables, written
from benchmarks.ssh.sides import Work

if TYPE_CHECKING:
    from benchmarks.ssh.cost import Cost
    from benchmarks.ssh.nodes import Hosts
    from benchmarks.ssh.sides import Side

HOSTS_FOR_LATENCY = 10
MILLISECONDS = 50


@dataclass(kw_only=True)
class Measured:
    """What was measured of one side; None where it was not."""

    costs: list[Cost] = field(default_factory=list)
    memory: int | None = None
    connections: float | None = None
    bytes: float | None = None
    round_trips: float | None = None

    @property
    def wall(self) -> float:
        return median(cost.wall for cost in self.costs)

    @property
    def cpu(self) -> float:
        return median(cost.cpu for cost in self.costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hosts", nargs="*", type=int, default=[50])
    parser.add_argument("--forks", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", metavar="FILE")
    request = parser.parse_args()
    if not can_serve():
        print("needs root, /usr/sbin/sshd and a merged /usr: nothing was measured")
        return
    others, missing = sides.peers()
    texts = []
    for count in request.hosts:
        with serving(count) as hosts:
            work = Work(hosts=hosts, count=count, port=hosts.port, forks=request.forks)
            able = [side for side in others if count <= side.hosts_at_most]
            unable = {side.name: "takes too long for so many" for side in others if side not in able}
            found = measure(work, able, request.rounds)
            text = tables(work, found, {**missing, **unable}, dead=with_dead_hosts(work))
        print(text, flush=True)
        texts.append(text)
    if request.write:
        Path(request.write).write_text(written(Path(request.write).read_text(), "\n".join(texts)))


def measure(work: Work, others: list[Side], rounds: int) -> dict[str, Measured]:
    """Measure all sides; first the plan of changes, then, with everything applied, the rest."""
    bare = sides.bare_paramiko()
    first = rounds_of([bare, sides.plan_of_changes()], work, rounds)
    apply_to(work.hosts, sides.REGISTRY)
    record(work.hosts, work.forks)
    all_sides = [bare, *sides.ours(), *others]
    found = rounds_of(all_sides, work, rounds)
    # Beside what was timed together with it.
    changes = first[sides.plan_of_changes().name]
    changes.costs = [scaled(c, found[bare.name], first[bare.name]) for c in changes.costs]
    for side in all_sides:
        look_closer(side, work, found[side.name])
    return {**found, sides.plan_of_changes().name: changes}


def scaled(one: Cost, now: Measured, then: Measured) -> Cost:
    """Return a cost as it would be at the machine's mood of now, by what the baseline cost then and now."""
    return replace(one, wall=one.wall * now.wall / then.wall, cpu=one.cpu * now.cpu / then.cpu)


def record(hosts: Hosts, forks: int) -> None:
    """Have every host remember that it is as wanted, through the first address of each."""
    some = replace(hosts, addresses=tuple(hosts.roots.values()))
    work = Work(hosts=some, count=len(some.addresses), port=hosts.port, forks=forks)
    attempt(sides.ours()[2], work)


def rounds_of(all_sides: list[Side], work: Work, rounds: int) -> dict[str, Measured]:
    """Run every side once to warm up, unless that takes minutes, then turn and turn about."""
    found = {side.name: Measured() for side in all_sides}
    for number in range(rounds + 1):
        for side in all_sides:
            if number > side.rounds_at_most or (number == 0 and side.rounds_at_most < rounds):
                continue
            measured = attempt(side, work)
            print(f"  {side.name}: {measured.wall:.2f} s, {measured.cpu:.2f} s of CPU", file=sys.stderr)
            if number:
                found[side.name].costs.append(measured)
    return found


def attempt(side: Side, work: Work) -> Cost:
    ended = cost.run(side.command(work), work.hosts.home, side.environment)
    assert ended.status == 0, f"{side.name} ended with {ended.status}: {ended.said[-3000:]}"
    assert side.is_done(ended.said, work.count), f"{side.name} has not done its work: {ended.said[-3000:]}"
    return ended


def look_closer(side: Side, work: Work, found: Measured) -> None:
    """Count memory, connections and bytes in a run of all hosts, and round trips over a few."""
    through = replace(work, port=work.hosts.proxy_port)
    with relayed(work.hosts, work.count) as counts:
        found.memory = cost.peak_memory(side.command(through), work.hosts.home, side.environment)
    counted = json.loads(counts.read_text())
    found.connections = counted["connections"] / work.count
    found.bytes = counted["bytes"] / work.count
    print(f"  {side.name}: {found.connections:.1f} connections, {found.bytes:.0f} bytes a host", file=sys.stderr)
    few = replace(through, count=min(HOSTS_FOR_LATENCY, work.count), forks=1)
    walls = []
    for milliseconds in (0, MILLISECONDS):
        with relayed(work.hosts, few.count, milliseconds=milliseconds):
            walls.append(attempt(side, few).wall)
    found.round_trips = (walls[1] - walls[0]) / few.count / (MILLISECONDS / 1000)


if __name__ == "__main__":
    main()

"""What hosts that do not answer cost a plan: some of the addresses lead to sockets that take no connection."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.ssh import cost, sides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.ssh.sides import Work

SHARE = 33  # one of so many is dead: 3 %


@dataclass(frozen=True, kw_only=True)
class DeadHosts:
    """Seconds of wall time for the same plan, with and without `count` hosts that do not answer."""

    count: int
    wall: float
    wall_without: float


def with_dead_hosts(work: Work) -> DeadHosts:
    """Measure a plan in which every 33rd host is dead, and one in which none is."""
    count = max(1, work.count // SHARE)
    plan = sides.ours()[0]
    without = cost.run(plan.command(work), work.hosts.home, {})
    with silent(count, work.port) as dead:
        addresses = list(work.addresses)
        for number, address in enumerate(dead):
            addresses[number * SHARE] = address
        hosts = replace(work.hosts, addresses=tuple(addresses))
        ended = cost.run(plan.command(replace(work, hosts=hosts)), work.hosts.home, {})
    assert f"{count} unreachable" in ended.said, ended.said[-2000:]
    return DeadHosts(count=count, wall=ended.wall, wall_without=without.wall)


@contextmanager
def silent(count: int, port: int) -> Iterator[list[str]]:
    """Yield addresses whose port drops every connection: its queue is full and nobody takes from it."""
    with ExitStack() as stack:
        addresses = [f"127.0.100.{number}" for number in range(1, count + 1)]
        for address in addresses:
            listener = stack.enter_context(socket.socket())
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(2):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)  # noqa: FBT003 - the standard library's
                filler.connect_ex((address, port))
        yield addresses

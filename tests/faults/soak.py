"""Kill something at a random step of a random node, over and over: `python -m tests.faults.soak [KILLS] [SEED]`.

Six nodes of two generations at a time; each is hit in its own way behind a step of its own. Every node must be wholly
old or wholly new after it. The seed is printed, and the same one makes the same choices again.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_invariants
from tests.faults.place import booted_site

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

_STEPS = ("preflight", "prepared", "armed", "swapping-1", "swapped-1", "activating", "health", "committed")
_FAULTS = ("process", "power", "reboot", "sshd")


def _fire(fault: str, point: Failpoint) -> None:
    node = point.node
    match fault:
        case "process":
            node.run("systemctl kill --kill-who=main --signal=KILL harbor-agent-transaction")
            point.release()
        case "power":
            node.power_off()
            point.release()
            node.start()
        case "reboot":
            node.reboot()
            point.release()
        case "sshd":
            node.end_connections()
            point.release()


def _round(site: FaultSite, choice: random.Random) -> Counter[str]:
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    points = [Failpoint(node, choice.choice(_STEPS)) for node in site.all_nodes]
    faults = [choice.choice(_FAULTS) for _ in points]
    kills_controller = choice.random() < 0.25
    words = ", ".join(f"{p.node.name} {fault} at {p.step}" for p, fault in zip(points, faults, strict=True))
    print(words + (", and the controller" if kills_controller else ""), end=": ", flush=True)  # noqa: T201
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
        if kills_controller:
            running.kill()
        for fault, point in zip(faults, points, strict=True):
            _fire(fault, point)
        ended = () if kills_controller else (running.end(seconds=300),)
    found = assert_invariants(site, expected, *ended)
    print(" ".join(found.values()), flush=True)  # noqa: T201
    return Counter(found.values())


def main(kills: int, seed: int) -> None:
    """Soak until so many nodes were killed."""
    print(f"seed {seed}")  # noqa: T201
    choice, found, started = random.Random(seed), Counter[str](), time.monotonic()
    with booted_site() as site:
        while found.total() < kills:
            found += _round(site, choice)
    took = time.monotonic() - started
    print(f"{found.total()} killed: {found['old']} old, {found['new']} new, none in between ({took:.0f} s)")  # noqa: T201


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["200"])[0]), int((sys.argv[2:] or [str(random.randrange(10**6))])[0]))

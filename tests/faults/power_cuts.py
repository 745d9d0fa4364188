"""Cut the power while dockerd restarts, over and over: `python -m tests.faults.power_cuts [CUTS] [SEED]`.

Six nodes of two generations at a time; each loses its power at a random moment after step `activating`. After the boot
the live daemon must be what the journal and the report say. The same seed, which is printed, makes the same choices.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.faults.controller import Order
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import assert_invariants
from tests.faults.place import booted_site

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

# A restart takes about half a second, the rest of the transaction as long again.
_LONGEST = 1.5
# After a boot the node waits as long for dockerd, and once more if it has to restart it (two health_deadlines).
_SETTLE = 240.0


def _cut(point: Failpoint, seconds: float) -> None:
    point.release()
    time.sleep(seconds)
    point.node.power_off()
    point.node.start()


def cut_all(site: FaultSite, choice: random.Random) -> Counter[str]:
    """Change all nodes, cut the power of each, and return how many are old and how many new."""
    order = Order(site=site, nodes=site.all_nodes)
    expected = order.expect()
    points = [Failpoint(node, "activating") for node in site.all_nodes]
    delays = [choice.uniform(0, _LONGEST) for _ in points]
    with held(*points), order.applying() as running:
        for point in points:
            point.wait()
        with ThreadPoolExecutor() as pool:
            list(pool.map(_cut, points, delays))
        ended = running.end(seconds=300)
    found = assert_invariants(site, expected, ended, settle=_SETTLE)
    for name, which in found.items():
        outcome = ended.node(name)["outcome"]
        assert outcome == {"old": "rolled_back", "new": "changed"}[which], (name, which, ended.node(name))
    return Counter(found.values())


def main(cuts: int, seed: int) -> None:
    """Cut until so many nodes lost their power."""
    print(f"seed {seed}", flush=True)  # noqa: T201
    choice, found, started = random.Random(seed), Counter[str](), time.monotonic()
    with booted_site() as site:
        while found.total() < cuts:
            found += cut_all(site, choice)
            print(f"{found['old']} old, {found['new']} new", flush=True)  # noqa: T201
    took = time.monotonic() - started
    print(f"{found.total()} power cuts: {found['old']} old, {found['new']} new, none in between ({took:.0f} s)")  # noqa: T201


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["50"])[0]), int((sys.argv[2:] or [str(random.randrange(10**6))])[0]))

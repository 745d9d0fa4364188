"""The power of containerd nodes is cut in the middle of a change: they boot with the files they had, and pull again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.faults.failpoint import Failpoint, held
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

_JOURNAL = 'tail -n 1 "$(ls -td /var/lib/harbor-agent/transactions/*/ | head -n 1)journal"'
_JOURNALS = (
    "tail -n +1 /var/lib/harbor-agent/transactions/*/journal; systemctl --no-pager --all list-units 'harbor-agent*'"
)
_STEPS = [
    ("swapping-1", "swapped-2", "activating"),
    ("health", "swapping-2", "committed"),
    ("armed", "activating", "health"),
]


@pytest.mark.parametrize("steps", _STEPS, ids="-".join)
def test_a_node_without_power_comes_back_old_or_new(site: Site, steps: tuple[str, ...]) -> None:
    lab = site.lab
    settings, inventory = site.settings(None, ""), lab.write_inventory()
    before = [site.files(node) for node in lab.nodes]
    points = [Failpoint(node, step) for node, step in zip(lab.nodes, steps, strict=True)]
    program = str(Path(sys.executable).with_name("harbor-agent"))
    rollout = json.loads(settings.read_text()) | {"rollout": {"canary": len(lab.nodes), "max_failed": "100%"}}
    settings.write_text(json.dumps(rollout))
    argv = [program, "apply", "-i", str(inventory), "-c", str(settings), "--yes"]
    with held(*points):
        running = subprocess.Popen(
            lab.network.inside(argv),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=lab.home,
            env={**lab.environment, "HARBOR_PASSWORD": PULLER.password},
        )
        for point in points:
            point.wait()
        for node in lab.nodes:
            node.power_off()
        for point in points:
            point.release()
        for node in lab.nodes:
            node.start()
        for node in lab.nodes:
            node.wait_ready()
        running.wait(timeout=300)

    for node, step, files in zip(lab.nodes, steps, before, strict=True):
        try:
            wait_until(lambda node=node: _has_ended(node), f"{node.name} has ended its transaction", seconds=120)
        except TimeoutError as error:
            error.add_note(node.run(_JOURNALS).stdout)
            raise
        outcome = node.run(_JOURNAL).stdout.split()[0]
        assert outcome == ("committed" if step == "committed" else "rolled_back"), step
        assert (site.files(node) == files) is (outcome == "rolled_back"), step

    done = site.agent("apply", "-i", inventory, "-c", settings, "--yes", "-o", "json")
    assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 3, done.stdout
    assert site.agent("rollback", "--pristine", "-i", inventory, "--yes").code == 0
    assert [site.files(node) for node in lab.nodes] == before


def _has_ended(node: LabNode) -> bool:
    return node.run(_JOURNAL).stdout.split()[0] in ("committed", "rolled_back")

"""Ctrl-C while nodes are changing: nodes in flight finish, no other node starts, and the report says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


def test_the_first_interrupt_lets_the_wave_finish(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("interrupt.ini", nodes=site.nodes)
    program = str(Path(sys.executable).with_name("harbor-agent"))
    arguments = ("apply", "-i", str(inventory), "-c", str(site.settings(None, "demo")), "--yes", "-o", "json")
    running = subprocess.Popen(
        site.lab.network.inside((program, *arguments)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=site.lab.home,
        env={**os.environ, **site.lab.environment, "HARBOR_PASSWORD": PULLER.password},
    )
    assert running.stderr
    told: list[str] = []
    while not any(line.startswith("change ") for line in told):
        told.append(running.stderr.readline().decode())
        assert told[-1], f"it ended before a change began: {told}"
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=120)
    document = json.loads(stdout)
    outcomes = {node["node"]: node["outcome"] for node in document["nodes"]}
    canary = told[-1].split()[1]
    assert running.returncode == document["exit_code"] == 130
    assert outcomes.pop(canary) == "changed"
    assert set(outcomes.values()) == {"skipped"}
    assert b"exit at once" in stderr
    changed = next(node for node in site.nodes if node.name == canary)
    assert changed.succeeds(f"docker info --format '{{{{json .RegistryConfig}}}}' | grep -q {site.registry.entry}")

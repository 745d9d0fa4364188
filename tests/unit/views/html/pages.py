"""The parts of the page, and the plan of a fleet in which two nodes differ."""

from __future__ import annotations

from harbor_agent.cli.reports import load_page_parts
from harbor_agent.views.outline.value import Outline, Verdict
from tests.unit.views.values import build_item

PARTS = load_page_parts()
OPTIONS = "--log-driver=json-file --storage-driver=overlay2 --registry-mirror=https://mirror.lan"
OTHER = "--log-driver=syslog --storage-driver=overlay2 --insecure-registry=192.168.0.9"
DIFFERING = (57, 143)


def build_plan(count: int) -> Outline:
    """Return the plan of so many nodes, all to be changed, two of them from other settings."""
    items = [
        build_item(
            f"node{number:03}",
            Verdict.PENDING,
            "change",
            title=("environment-file", "restart"),
            reason="192.168.0.99 is missing from DOCKER_OPTS",
            diff=build_diff(OTHER if number in DIFFERING else OPTIONS),
            runtime="docker",
            remarks=("the restart stops no container",),
            timings=(("plan", 0.8 + number % 17 / 10),),
        )
        for number in range(1, count + 1)
    ]
    summary = f"Plan: {count} to change ({count} restart)"
    return Outline(command="plan", summary=summary, items=tuple(items), exit_code=3)


def build_diff(options: str) -> str:
    return (
        "--- /etc/default/docker\t0644 0:0\n+++ /etc/default/docker\t0644 0:0\n@@ -1,2 +1,2 @@\n"
        f' # Options of dockerd\n-DOCKER_OPTS="{options}"\n+DOCKER_OPTS="{options} --insecure-registry=192.168.0.99"\n'
    )

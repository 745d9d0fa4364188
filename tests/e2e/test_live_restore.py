"""Containers keep running through a restart: on the way forward, and if the change fails and is rolled back."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.site import Site
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Ended
    from tests.lab.files import Files
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

_DROP_INS = "/etc/systemd/system/docker.service.d"
# dockerd judges the configuration well before the change, and its unit does not start with it. systemd tries again at
# once and without end, so it would start between the restored files and the restart that keeps containers.
_DOOM = (
    "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=50ms\n"
    f"ExecStartPre=/bin/sh -c '! grep -q doomed {_DROP_INS}/docker-options.conf'\n"
)
_RUNNING = (
    "docker ps -q --no-trunc | xargs docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' | sort"
)


class Place(NamedTuple):
    """One node with two containers, and the command on it."""

    site: Site
    node: LabNode
    inventory: Path

    def agent(self, *arguments: str) -> Ended:
        command, *rest = arguments
        return self.site.agent(command, *rest, "-i", self.inventory, "-o", "json")

    def ask(self, command: str) -> str:
        return self.node.run(command).stdout.strip()

    def live_restore(self) -> str:
        return self.ask("docker info --format '{{.LiveRestoreEnabled}}'")

    def files(self) -> Files:
        return self.site.files(self.node)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node of each generation of Docker."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(shapes=("docker.io", "docker.io"), suites=("bookworm", "trixie")))
        folder, prefix = tmp_path_factory.mktemp("registry"), lab.network.inside(())
        registry = stack.enter_context(running_registry(folder, host=lab.address, port=5000, prefix=prefix))
        yield Site(lab=lab, registry=registry)


@pytest.fixture(params=["bookworm", "trixie"])
def place(request: pytest.FixtureRequest, both: Site) -> Place:
    node = next(node for node in both.lab.nodes if request.param in node.run("cat /etc/os-release").stdout)
    node.load_image("busybox:lab", busybox_root(node.base))
    node.start_container("web", "busybox:lab", restart="always")
    node.start_container("one-off", "busybox:lab")
    return Place(both, node, both.lab.write_inventory(f"{request.param}.ini", nodes=[node]))


def test_containers_run_on_through_the_change_and_through_its_failure(place: Place) -> None:
    running, files = place.ask(_RUNNING), place.files()
    held_back = place.agent("apply", "--registry", place.site.registry.entry, "--yes")
    assert (held_back.code, held_back.node(place.node.name)["code"]) == (5, "containers-would-stop")
    assert "--live-restore" in held_back.node(place.node.name)["hint"]

    place.ask(f"mkdir -p {_DROP_INS} && printf '%s' \"{_DOOM}\" >{_DROP_INS}/doom.conf && systemctl daemon-reload")
    doomed = place.agent("apply", "--registry", "doomed.lan", "--allow-unreachable-registry", "--live-restore", "--yes")
    assert (doomed.code, doomed.node(place.node.name)["outcome"]) == (1, "rolled_back"), doomed.stderr
    assert place.ask(_RUNNING) == running
    assert place.live_restore() == "false"
    place.ask(f"rm -r {_DROP_INS} && systemctl daemon-reload")
    assert place.files() == files

    wish = ("--registry", place.site.registry.entry, "--live-restore")
    planned = place.agent("plan", *wish).node(place.node.name)
    assert (planned["action"], planned["live_restore"], planned["containers_stopped"]) == ("restart", "planned", [])
    applied = place.agent("apply", *wish, "--yes")
    assert (applied.code, applied.node(place.node.name)["outcome"]) == (0, "changed"), applied.stderr
    assert place.ask(_RUNNING) == running
    assert place.live_restore() == "true"
    assert place.site.registry.entry in place.ask("docker info")
    again = place.agent("plan", *wish, "--exit-code")
    assert (again.code, again.node(place.node.name)["live_restore"]) == (0, "none")

    # The way back restores files, live-restore with them: what stops then is announced, and needs a yes.
    run = applied.document["run_id"]
    back = place.agent("rollback", run, "--yes")
    assert (back.code, back.node(place.node.name)["code"]) == (5, "containers-would-stop")
    assert "one-off" in back.node(place.node.name)["reason"]
    back = place.agent("rollback", run, "--accept-restart", "--yes")
    assert (back.code, back.node(place.node.name)["outcome"]) == (0, "changed"), back.stderr
    assert place.files() == files
    wait_until(lambda: place.ask("docker ps --format '{{.Names}}'") == "web", "only web runs", seconds=60)

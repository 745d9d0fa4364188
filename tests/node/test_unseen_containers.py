"""A slow docker command: the containers that a restart stops are then unknown, and reported as unknown."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.nodes import plan_nodes
from harbor_agent.engine.plan.run_plan import refuse_unconsented
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import build_policy
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.result import Outcome
from harbor_agent.planning.config.schema import PolicyLayer
from harbor_agent.transport.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.transport.protocol import Job
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

TELLS_NOT = (
    "case $1 in ps) exit 1 ;; esac",
    "case $1 in inspect) exit 1 ;; esac",
    'case "$1 $3" in inspect*) kill -9 $$ ;; esac',
    "exit 1",
)


@dataclass(frozen=True)
class Straight:
    """The way to the one node that is there."""

    world: World

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed]:
        for job in jobs:
            yield Completed(job=job, rc=0, stdout=self.world.run(job.program), stderr=b"", seconds=0.0)


def planned(world: World) -> PlannedNode:
    flags = RegistryFlags(addresses=("http://10.99.0.1:5000",), route=RouteChoice.DROP_IN)
    node = Node(name="node1", address="192.0.2.1")
    policy = build_policy(PolicyLayer(), flags)
    (one,) = plan_nodes(Straight(world), [(node, policy)], RunRequest(flags=flags), lambda _: None)
    assert isinstance(one.decision, Plan), one.problem
    assert one.decision.activation.action is Action.RESTART
    return one


@pytest.fixture
def busy(world: World) -> Iterator[World]:
    """A node with one container, whose dockerd runs with what its files say."""
    world.file("/etc/systemd/system/docker.service").write_text("[Service]\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n")
    world.set("containers", "c1 always no /web\n")
    with subprocess.Popen(["/usr/bin/dockerd"], executable=shutil.which("cat"), stdin=subprocess.PIPE) as daemon:
        world.set("daemon.pid", f"{daemon.pid}\n")
        yield world


@pytest.mark.parametrize("fault", TELLS_NOT)
def test_a_restart_wants_consent_where_it_is_not_known_what_it_stops(busy: World, fault: str) -> None:
    busy.replace("docker", fault)
    held_back = refuse_unconsented(planned(busy))
    assert held_back.outcome is Outcome.REFUSED
    assert held_back.problem is not None
    assert held_back.problem.code == "containers-would-stop"
    assert "could not be listed" in held_back.problem.message
    assert "--accept-restart" in held_back.problem.hint


def test_where_docker_tells_or_nothing_runs_none_is_wanted(busy: World) -> None:
    assert refuse_unconsented(planned(busy)).outcome is Outcome.PENDING
    busy.set("containers", "")
    assert refuse_unconsented(planned(busy)).outcome is Outcome.PENDING


def test_a_container_that_ends_between_two_questions_hides_no_other(busy: World) -> None:
    busy.set("containers", "c1 always no /web\nc2 no no /ended\n")
    described = '["/web","img","always",""]'
    busy.replace("docker", f"case $1 in inspect) echo '{described}'; exit 1 ;; esac")
    one = refuse_unconsented(planned(busy))
    assert one.outcome is Outcome.PENDING
    assert isinstance(one.decision, Plan)
    assert [container.name for container in one.decision.activation.stops] == ["web"]


def test_containers_that_run_on_need_none(busy: World) -> None:
    busy.set("live-restore", "true\n")
    busy.file("/etc/docker/daemon.json").write_text('{"live-restore": true}\n')
    busy.replace("docker", TELLS_NOT[0])
    assert refuse_unconsented(planned(busy)).outcome is Outcome.PENDING

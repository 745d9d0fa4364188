"""The pull proof: the login never outlives it, and its outcome is told apart."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import PullReport, PullVerdict
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.node.wire import programs as wire

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

IMAGE = "10.99.0.1:5000/library/pause:3.9"
REGISTRY = Address.parse("10.99.0.1:5000")
LOGIN = Credentials(username="robot$k8s", password=Sensitive("hunter2 'quoted' $HOME"))


def pull(world: World, credentials: Credentials | None = None, seconds: float = 20) -> PullReport:
    program = wire.build_pull_program("docker", IMAGE, credentials, "10.99.0.1:5000", timeout=seconds)
    return wire.decode_pull(world.run(program), REGISTRY)


def test_an_image_that_was_not_there_is_removed_again(world: World) -> None:
    assert pull(world) == PullReport(image=IMAGE, verdict=PullVerdict.PULLED, detail=IMAGE)
    assert world.get("image") == ""


def test_an_image_that_was_there_is_there_as_before(world: World) -> None:
    world.set("image", "sha256:old\n")
    assert pull(world).verdict is PullVerdict.PULLED
    assert world.get("image") == "sha256:old\n"


def test_the_login_reaches_docker_and_nothing_else(world: World) -> None:
    assert pull(world, LOGIN).verdict is PullVerdict.PULLED
    login = json.loads(world.get("login"))
    pair = base64.b64decode(login["auths"]["10.99.0.1:5000"]["auth"]).decode()
    assert pair == "robot$k8s:hunter2 'quoted' $HOME"
    assert not list(world.file("/run").glob("harbor-agent*"))
    said = world.get("processes") + world.get("calls")
    assert "hunter2" not in said
    assert login["auths"]["10.99.0.1:5000"]["auth"] not in said


def test_what_docker_said_decides_the_verdict(world: World) -> None:
    said = 'Get "https://h/v2/": http: server gave HTTP response to HTTPS client'
    world.set("pull-error", f"Error response from daemon: {said}\n")
    report = pull(world, LOGIN)
    assert report.verdict is PullVerdict.INSECURE_REFUSED
    assert report.detail == f"Error response from daemon: {said}"
    assert not list(world.file("/run").glob("harbor-agent*"))


@pytest.mark.parametrize("known", [True, False])
def test_a_name_that_only_the_daemon_does_not_know_yet_is_tried_again(world: World, *, known: bool) -> None:
    first = "[ -e /run/tried ] || { : >/run/tried; echo 'dial tcp: lookup harbor.lan: no such host'; exit 1; }"
    world.replace("docker", f'case "$*" in *"pull "*) {first} ;; esac')
    world.replace("getent", f"exit {0 if known else 2}")
    assert pull(world).verdict is (PullVerdict.PULLED if known else PullVerdict.NAME_UNRESOLVED)


def test_a_pull_without_end_is_ended(world: World) -> None:
    world.replace("docker", 'case "$*" in *"pull "*) exec sleep 60 ;; esac')
    report = pull(world, LOGIN, seconds=1)
    assert report.verdict is PullVerdict.TIMEOUT
    assert "1 s" in report.detail
    assert not list(world.file("/run").glob("harbor-agent*"))


def test_what_a_killed_pull_left_is_swept(world: World) -> None:
    left = world.file("/run/harbor-agent-pull.999999999.abcdef")
    left.mkdir()
    pull(world, LOGIN)
    assert not left.exists()


def test_without_memory_to_keep_it_in_the_login_is_not_written(world: World) -> None:
    world.memory = False
    report = pull(world, LOGIN)
    assert report.verdict is PullVerdict.FAILED
    assert "memory" in report.detail
    assert world.get("login") == ""


def log_in(world: World) -> PullReport:
    program = wire.build_login_program("docker", REGISTRY, LOGIN, timeout=20)
    assert program
    return wire.decode_pull(world.run(program), REGISTRY)


def test_a_login_reaches_docker_and_nothing_else(world: World) -> None:
    report = log_in(world)
    assert (report.image, report.verdict, report.detail) == ("10.99.0.1:5000", PullVerdict.PULLED, "Login Succeeded")
    assert world.get("login-password") == "hunter2 'quoted' $HOME"
    assert "login --username robot$k8s --password-stdin 10.99.0.1:5000" in world.get("calls")
    assert "hunter2" not in world.get("processes") + world.get("calls")
    assert not list(world.file("/run").glob("harbor-agent*"))


def test_a_rejected_login_is_reported(world: World) -> None:
    said = 'Get "http://10.99.0.1:5000/v2/": unauthorized: authentication required'
    world.set("pull-error", f"Error response from daemon: {said}\n")
    assert log_in(world).verdict is PullVerdict.UNAUTHORIZED
    assert not list(world.file("/run").glob("harbor-agent*"))

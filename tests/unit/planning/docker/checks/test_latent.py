"""Edits of somebody else that the running dockerd has not read: warned of, and not restarted over without consent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action
from harbor_agent.model.state import Record
from harbor_agent.planning.rollout.consent import find_objection_to_restart
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    docker_of,
    node,
    running,
    with_docker,
    with_record,
)
from tests.unit.planning.docker.plans import DEBIAN_ARGV, codes, plan

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

pytestmark = pytest.mark.field("02")

BTRFS = '{"storage-driver": "btrfs", "log-driver": "json-file"}'


def edited(contents: dict[str, str], *paths: str) -> NodeState:
    """Return a node whose dockerd was started before these files were changed."""
    return with_docker(running(node(contents), DEBIAN_ARGV), changed_files=paths, containers=())


def objection_to(state: NodeState) -> str:
    problem = find_objection_to_restart(plan(state))
    return f"{problem.code}: {problem.message} -> {problem.hint}" if problem else ""


def test_a_restart_over_an_unread_daemon_json_needs_consent() -> None:
    state = edited({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: BTRFS}, DAEMON_JSON)
    decision = plan(state)
    assert decision.activation.action is Action.RESTART
    assert codes(decision) == ["latent-edit"]
    objection = objection_to(state)
    assert objection.startswith("latent-edit")
    assert f"{DAEMON_JSON} changed after dockerd started, and has log-driver, storage-driver" in objection
    assert "--accept-restart" in objection


def test_a_reload_over_it_is_only_warned_of() -> None:
    argv = DEBIAN_ARGV
    state = edited({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: BTRFS}, DAEMON_JSON)
    assert docker_of(state).argv == argv
    decision = plan(state)
    assert decision.activation.action is Action.RELOAD
    assert codes(decision) == ["latent-edit"]
    assert objection_to(state) == ""


def test_an_unread_drop_in_that_adds_arguments_needs_consent() -> None:
    contents = {FRAGMENT: DEBIAN_UNIT, OPTIONS: "[Service]\nEnvironment=DOCKER_OPTS=--bip=10.1.0.1/16\n"}
    state = edited(contents, OPTIONS)
    assert "dockerd would start as: /usr/sbin/dockerd" in objection_to(state)
    assert "--bip=10.1.0.1/16" in objection_to(state)


@pytest.mark.parametrize(
    ("contents", "paths"),
    [
        ({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: BTRFS}, ()),
        ({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: '{"live-restore": false, "registry-mirrors": []}'}, (DAEMON_JSON,)),
        (
            {FRAGMENT: DEBIAN_UNIT, OPTIONS: "[Service]\nEnvironment=DOCKER_OPTS=--insecure-registry=a.lan\n"},
            (OPTIONS,),
        ),
    ],
    ids=["read at the start", "keys that are judged from the text", "registries only"],
)
def test_a_restart_needs_no_consent_for_what_is_known_to_start(
    contents: dict[str, str], paths: tuple[str, ...]
) -> None:
    state = edited(contents, *paths)
    assert plan(state).activation.action is Action.RESTART
    assert objection_to(state) == ""


def test_a_file_that_this_tool_wrote_is_not_somebody_elses() -> None:
    state = edited({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: BTRFS}, DAEMON_JSON)
    record = Record(file_hashes={DAEMON_JSON: hashlib.sha256(BTRFS.encode()).hexdigest()})
    assert codes(plan(with_record(state, record))) == []
    assert objection_to(with_record(state, record)) == ""


def test_an_unknown_start_time_gives_no_warning() -> None:
    state = running(node({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: BTRFS}), DEBIAN_ARGV)
    assert docker_of(state).changed_files is None
    assert codes(plan(state)) == []


def test_the_objection_also_names_containers_that_would_stop() -> None:
    state = edited({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: BTRFS}, DAEMON_JSON)
    lost = running(state, DEBIAN_ARGV, (HARBOR,)[1:])
    busy = with_docker(
        lost,
        changed_files=(DAEMON_JSON,),
        containers=(replace((docker_of(lost).containers or ())[0], restart_policy="no"),),
    )
    assert "web" in objection_to(busy)
    assert objection_to(busy).startswith("latent-edit")

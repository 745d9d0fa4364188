"""The way back is a plan: exactly the earlier files, the cheapest action that revokes, and no edit of others lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action, Plan, Refusal
from harbor_agent.model.state import FileState
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.rollback import restore
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    TEMPLATES,
    applied,
    node,
    regular,
    running,
    want,
    with_docker,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import NodeState


def up(contents: Mapping[str, str]) -> NodeState:
    state = node(contents)
    return running(state, evaluate(state).argv, evaluate(state).entries)


def change(state: NodeState) -> tuple[Plan, NodeState]:
    plan = plan_node("n", state, want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan)
    return plan, applied(state, plan)


def back(state: NodeState, plan: Plan) -> Plan:
    decision = restore("n", state, [one.before for one in plan.changes], "back")
    assert isinstance(decision, Plan), decision.problem
    return decision


@pytest.mark.parametrize(
    ("contents", "action"),
    [
        ({FRAGMENT: DEBIAN_UNIT}, Action.RESTART),
        # A reload brought it in, but only a restart revokes what is deleted (moby#36632).
        ({FRAGMENT: PLAIN_UNIT}, Action.RESTART),
        ({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["other.lan"]}'}, Action.RELOAD),
    ],
)
def test_every_file_is_again_what_it_was(contents: dict[str, str], action: Action) -> None:
    before = up(contents)
    plan, after = change(before)
    way_back = back(after, plan)
    assert {one.path: one.after for one in way_back.changes} == {one.path: one.before for one in plan.changes}
    assert way_back.activation.action is action
    assert way_back.activation.unexpected == (HARBOR,)


def test_certificates_are_restored_without_a_restart() -> None:
    ours = ("/etc/docker/certs.d/h/harbor-agent.crt", "/usr/local/share/ca-certificates/harbor-agent-h.crt")
    state = up({FRAGMENT: DEBIAN_UNIT, **dict.fromkeys(ours, "ca")})
    decision = restore("n", state, [FileState(path=path) for path in ours], "back")
    assert isinstance(decision, Plan)
    assert (len(decision.changes), decision.activation.action) == (2, Action.NONE)
    assert [warning.code for warning in decision.warnings] == ["trust-store-not-read"]


def test_what_is_so_already_needs_nothing() -> None:
    before = up({FRAGMENT: DEBIAN_UNIT})
    plan, _ = change(before)
    assert back(before, plan).is_empty


def test_what_dockerd_would_not_start_with_is_refused() -> None:
    state = up({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: "{}"})
    decision = restore("n", state, [regular(DAEMON_JSON, "{broken")], "back")
    assert isinstance(decision, Refusal)


def test_a_node_without_docker_is_refused() -> None:
    state = node({})
    decision = restore("n", state, [FileState(path=DAEMON_JSON)], "back")
    assert isinstance(decision, Refusal)


@pytest.mark.field("02")
def test_an_edit_that_the_rollback_undoes_needs_no_consent() -> None:
    plan, after = change(up({FRAGMENT: DEBIAN_UNIT}))
    live = running(after, evaluate(after).argv, evaluate(after).entries)
    text = (after.files[OPTIONS].content or b"").decode()
    edited = replace(
        live, files={**live.files, OPTIONS: regular(OPTIONS, text.replace('"DOCKER_OPTS=', '"DOCKER_OPTS=--mtu 1400 '))}
    )
    assert "--mtu 1400" in " ".join(evaluate(edited).argv)
    assert back(edited, plan).latent_edits == ()


@pytest.mark.field("02")
def test_an_edit_that_stays_after_the_rollback_needs_consent_and_is_shown_as_dockerd_would_start() -> None:
    plan, after = change(up({FRAGMENT: DEBIAN_UNIT}))
    live = running(after, evaluate(after).argv, evaluate(after).entries)
    unit = DEBIAN_UNIT.replace("$DOCKER_OPTS", "--mtu 1400 $DOCKER_OPTS")
    edited = replace(live, files={**live.files, FRAGMENT: regular(FRAGMENT, unit)})
    (edit,) = back(edited, plan).latent_edits
    assert "--mtu 1400" in edit
    assert "--insecure-registry" not in edit


@pytest.mark.field("02")
def test_an_unread_daemon_json_counts_unless_it_is_restored() -> None:
    unread = '{"storage-driver": "btrfs"}'
    live = with_docker(up({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: unread}), changed_files=(DAEMON_JSON,))
    for earlier, kept in (([FileState(path=DAEMON_JSON)], False), ([regular(OPTIONS, "[Service]\n")], True)):
        decision = restore("n", live, earlier, "back")
        assert isinstance(decision, Plan), decision.problem
        assert bool(decision.latent_edits) is kept

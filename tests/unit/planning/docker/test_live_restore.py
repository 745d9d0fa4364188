"""Containers that outlive a restart: what is written for it, when it is not needed, and when it cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action, LiveRestore, Plan, Refusal
from harbor_agent.model.state import FileKind
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.rollback import restore
from harbor_agent.planning.node import plan_node
from harbor_agent.planning.rollout.consent import find_objection_to_restart
from tests.unit.planning.docker.nodes import (
    CONTAINER,
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    TEMPLATES,
    applied,
    docker_of,
    node,
    regular,
    running,
    symlink,
    unwant,
    want,
    with_docker,
)

if TYPE_CHECKING:
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

ONE_OFF = replace(CONTAINER, name="one-off", restart_policy="no")
KEPT = want(HARBOR, live_restore=True)
DEFAULTS = "/etc/default/docker"


def up(config: str | None = None, *, options: str = "", live_restore: bool = False) -> NodeState:
    """Return a node with a drop-in route, a running container and a daemon that has read its files."""
    contents = {FRAGMENT: DEBIAN_UNIT, **({DAEMON_JSON: config} if config is not None else {})}
    if options:
        contents[DEFAULTS] = f"DOCKER_OPTS='{options}'\n"
    state = node(contents)
    return running(state, evaluate(state).argv, evaluate(state).entries, live_restore=live_restore)


def plan(state: NodeState, wanted: DesiredState = KEPT) -> Plan:
    decision = plan_node("n", state, wanted, TEMPLATES)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refused(state: NodeState, *words: str) -> None:
    """Assert that it is refused with these words and a way out, and that without the wish it is not."""
    decision = plan_node("n", state, KEPT, TEMPLATES)
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "live-restore-impossible"
    assert all(word in decision.problem.message for word in words), decision.problem.message
    assert "--accept-restart" in decision.problem.hint
    without = plan(state, want(HARBOR))
    assert without.activation.live_restore is LiveRestore.NONE
    assert without.activation.stops == (CONTAINER,)


def text(decision: Plan, path: str = DAEMON_JSON) -> str | None:
    contents = {change.path: (change.after.content or b"").decode() for change in decision.changes}
    return contents.get(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, '{ "live-restore": true }\n'),
        ("{}", '{ "live-restore": true }'),
        ('{"debug":true}\n', '{"debug":true,"live-restore":true}\n'),
        ('{\n  "debug": true\n}\n', '{\n  "debug": true,\n  "live-restore": true\n}\n'),
        ('{"live-restore": false, "debug": true}', '{"live-restore": true, "debug": true}'),
        ('{"live-restore": null}', '{"live-restore": true}'),
        ('{"live-restore": true, "live-restore": false}', '{"live-restore": true, "live-restore": true}'),
    ],
)
def test_the_key_is_part_of_the_plan_and_all_else_stays(before: str | None, after: str) -> None:
    decision = plan(up(before))
    assert text(decision) == after
    assert OPTIONS in {change.path for change in decision.changes}
    assert (decision.activation.action, decision.activation.live_restore) == (Action.RESTART, LiveRestore.PLANNED)
    assert decision.activation.stops == ()
    assert find_objection_to_restart(decision) is None


def test_a_file_of_another_name_is_the_one_that_is_read() -> None:
    other = "/etc/other.json"
    contents = {FRAGMENT: DEBIAN_UNIT, DEFAULTS: f"DOCKER_OPTS='--config-file={other}'\n", other: "{}"}
    state = node(contents)
    decision = plan(running(state, evaluate(state).argv))
    assert text(decision, other) == '{ "live-restore": true }'
    assert decision.activation.config_file == other


def test_a_key_that_is_there_and_not_yet_in_force_needs_no_edit() -> None:
    decision = plan(up('{"live-restore": true}'))
    assert text(decision) is None
    assert decision.activation.live_restore is LiveRestore.PLANNED


def test_a_daemon_that_has_it_on_needs_nothing() -> None:
    decision = plan(up('{"live-restore": true}', live_restore=True), want(HARBOR))
    assert (decision.activation.live_restore, decision.activation.stops) == (LiveRestore.ON, ())


@pytest.mark.parametrize("flag", ["--live-restore", "--live-restore=true", "--live-restore=1"])
def test_a_daemon_that_has_it_on_by_a_flag_needs_nothing(flag: str) -> None:
    assert plan(up(options=flag, live_restore=True)).activation.live_restore is LiveRestore.ON


def test_what_is_on_and_no_longer_in_the_files_does_not_survive_the_restart() -> None:
    state = up("{}", live_restore=True)
    assert plan(state, want(HARBOR)).activation.stops == (CONTAINER,)
    assert text(plan(state)) == '{ "live-restore": true }'


@pytest.mark.parametrize(
    "state",
    [
        up('{"insecure-registries": []}'),
        node({FRAGMENT: DEBIAN_UNIT}),
        with_docker(up(), containers=()),
    ],
    ids=["reload", "tree", "no containers"],
)
def test_where_no_container_stops_the_wish_changes_nothing(state: NodeState) -> None:
    decision = plan(state)
    assert decision.activation.live_restore is LiveRestore.NONE
    assert "live-restore" not in (text(decision) or "")


def test_files_that_are_right_and_not_yet_read_may_take_a_restart_too() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, DEFAULTS: f"DOCKER_OPTS='--insecure-registry={HARBOR}'\n"})
    decision = plan(running(state, evaluate(node({FRAGMENT: DEBIAN_UNIT})).argv))
    assert decision.activation.live_restore is LiveRestore.PLANNED
    assert [change.path for change in decision.changes] == [DAEMON_JSON]


def test_a_swarm_is_refused() -> None:
    state = up()
    refused(with_docker(state, swarm="active"), "swarm")
    inactive = with_docker(state, swarm="inactive")
    assert plan(inactive).activation.live_restore is LiveRestore.PLANNED


@pytest.mark.parametrize("flag", ["--live-restore=false", "--live-restore=0"])
def test_a_flag_that_says_no_is_refused_with_its_place(flag: str) -> None:
    refused(up(options=flag), flag, DEFAULTS)


def test_a_flag_that_is_not_yet_in_force_is_refused() -> None:
    state = up()
    files = {**state.files, DEFAULTS: regular(DEFAULTS, "DOCKER_OPTS='--live-restore'\n")}
    refused(replace(state, files=files), "--live-restore is a flag", DEFAULTS)


def test_a_flag_of_the_running_daemon_that_a_reload_would_collide_with_is_refused() -> None:
    state = up('{"debug": true}')
    refused(with_docker(state, argv=(*docker_of(state).argv, "--debug")), "--debug")


def test_a_file_that_the_running_daemon_does_not_read_is_refused() -> None:
    state = up("{}")
    argv = (*docker_of(state).argv, "--config-file=/etc/other.json")
    refused(with_docker(state, argv=argv), "/etc/other.json", DAEMON_JSON)


def test_a_link_is_refused() -> None:
    state = up()
    linked = symlink(DAEMON_JSON, "/srv/daemon.json", b"{}")
    assert linked.kind is FileKind.SYMLINK
    refused(replace(state, files={**state.files, DAEMON_JSON: linked}), DAEMON_JSON, "symbolic link")


def test_a_value_that_is_neither_yes_nor_no_is_refused() -> None:
    decision = plan_node("n", up('{"live-restore": "yes"}'), KEPT, TEMPLATES)
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "config-value-invalid"
    assert f"{DAEMON_JSON} line 1" in decision.problem.message


def test_the_objection_to_a_restart_names_it_where_it_would_help() -> None:
    state = up()
    busy = with_docker(state, containers=(ONE_OFF,))
    objection = find_objection_to_restart(plan(busy, want(HARBOR)))
    assert objection
    assert "--live-restore" in objection.hint
    in_swarm = with_docker(busy, swarm="active")
    objection = find_objection_to_restart(plan(in_swarm, want(HARBOR)))
    assert objection
    assert "--live-restore" not in objection.hint


def test_it_stays_on_when_the_registry_is_taken_out_again() -> None:
    before = up()
    changed = applied(before, plan(before))
    removal = plan(changed, unwant(HARBOR))
    assert text(removal) is None
    assert removal.activation.unexpected == (HARBOR,)


def test_taking_the_run_back_announces_what_then_stops() -> None:
    before = up()
    change = plan(before)
    changed = applied(before, change)
    changed = with_docker(changed, live_restore=True)
    back = restore("n", changed, [one.before for one in change.changes], "back")
    assert isinstance(back, Plan)
    assert back.activation.stops == (CONTAINER,)
    assert {one.path for one in back.changes} == {DAEMON_JSON, OPTIONS}

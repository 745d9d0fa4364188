"""The route of a change: a flag of the unit, a drop-in, or daemon.json."""

from __future__ import annotations

from harbor_agent.model.plan import Action, Route
from harbor_agent.model.policy import RouteChoice
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    DROP_INS,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    node,
    running,
    want,
)
from tests.unit.planning.docker.plans import DEBIAN_ARGV, FLAG, after, plan, refusal


def test_a_flag_in_an_own_unit_file_is_edited_there() -> None:
    path = "/etc/systemd/system/docker.service"
    decision = plan(node({path: "[Service]\nExecStart=/bin/dockerd --insecure-registry=a -H fd://\n"}))
    assert decision.route is Route.UNIT_FLAG
    assert after(decision, path) == f"[Service]\nExecStart=/bin/dockerd --insecure-registry=a -H fd:// {FLAG}\n"


def test_a_flag_in_a_packaged_unit_file_is_repeated_in_a_drop_in() -> None:
    decision = plan(node({FRAGMENT: "[Service]\nExecStart=/bin/dockerd --insecure-registry=a\n"}))
    assert decision.route is Route.DROP_IN
    assert after(decision, OPTIONS) == f"[Service]\nExecStart=\nExecStart=/bin/dockerd --insecure-registry=a {FLAG}\n"


def test_a_later_file_name_is_used_where_a_package_wins_with_one() -> None:
    vendor = "/usr/lib/systemd/system/docker.service.d/vendor.conf"
    state = node({FRAGMENT: DEBIAN_UNIT, vendor: '[Service]\nEnvironment="DOCKER_OPTS=--mtu=1400"\n'})
    decision = plan(state)
    assert [change.path for change in decision.changes] == [f"{DROP_INS}/zz-docker-options.conf"]
    assert decision.activation.arguments[-2:] == ("--mtu=1400", FLAG)


def test_specifiers_are_told_as_the_running_daemon_shows_them() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, OPTIONS: '[Service]\nEnvironment="DOCKER_OPTS=--label=h=%H"\n'})
    decision = plan(running(state, (*DEBIAN_ARGV, "--label=h=vm")))
    assert decision.activation.arguments == (*DEBIAN_ARGV, "--label=h=vm", FLAG)


def test_unset_environment_takes_the_variable_away() -> None:
    unit = DEBIAN_UNIT + "UnsetEnvironment=DOCKER_OPTS\n"
    decision = plan(node({FRAGMENT: unit}))
    assert decision.route is Route.DAEMON_JSON


def test_drop_in_repeats_exec_start_where_no_variable_reaches_dockerd() -> None:
    state = running(node({FRAGMENT: PLAIN_UNIT}), DEBIAN_ARGV)
    decision = plan(state, want(HARBOR, route=RouteChoice.DROP_IN))
    assert after(decision, OPTIONS) == f"[Service]\nExecStart=\nExecStart={' '.join(DEBIAN_ARGV)} {FLAG}\n"
    assert decision.activation.action is Action.RESTART


def test_drop_in_beside_the_key_is_refused() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: '{"insecure-registries": []}'})
    assert refusal(state, want(HARBOR, route=RouteChoice.DROP_IN)).problem.code == "route-fatal"


def test_drop_in_that_a_later_one_undoes_is_refused() -> None:
    state = node({FRAGMENT: PLAIN_UNIT, f"{DROP_INS}/zz.conf": "[Service]\nExecStart=\nExecStart=/bin/dockerd\n"})
    problem = refusal(state, want(HARBOR, route=RouteChoice.DROP_IN)).problem
    assert problem.code == "route-ineffective"
    assert f"{DROP_INS}/zz.conf" in problem.message


def test_daemon_json_beside_a_flag_is_refused() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, OPTIONS: '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=a"\n'})
    problem = refusal(state, want(HARBOR, route=RouteChoice.DAEMON_JSON)).problem
    assert problem.code == "route-fatal"
    assert OPTIONS in problem.message


def test_daemon_json_is_used_where_it_works() -> None:
    decision = plan(node({FRAGMENT: DEBIAN_UNIT}), want(HARBOR, route=RouteChoice.DAEMON_JSON))
    assert (decision.route, decision.activation.action) == (Route.DAEMON_JSON, Action.RELOAD)

"""Containers that outlive a restart because live-restore is on: on the way forward and on every way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action, LiveRestore
from harbor_agent.model.result import TransactionPhase
from tests.node.transactions import (
    DAEMON_JSON,
    DROP_IN,
    ENTRY,
    OPTIONS,
    activated,
    assert_no_leftovers,
    begin,
    change,
    reload_plan,
    restart_plan,
    roll_back,
    status,
)

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

RUNNING = "c1 no no /one-off 08:00 0\nc2 always no /web 08:01 0\nc3 no yes /k8s_POD_x 08:02 0\n"
SWITCHED_ON = '{"live-restore": true}\n'
STEPS = ("keeping", "activating", "health")


def keeping_plan(world: World, options: str = OPTIONS, config: str = SWITCHED_ON) -> Plan:
    plan = restart_plan(world, options, change(world, DAEMON_JSON, config))
    return activated(plan, live_restore=LiveRestore.PLANNED)


@pytest.fixture
def busy(world: World) -> World:
    world.set("containers", RUNNING)
    return world


def assert_kept(world: World) -> None:
    """Every container is the same run as before, and the daemon does not keep the next one."""
    assert world.get("containers") == RUNNING
    assert world.get("live-restore") == "false\n"
    assert_no_leftovers(world)


def test_without_it_containers_stop(busy: World) -> None:
    report = begin(busy, restart_plan(busy))
    assert report.containers_lost == ("one-off",)
    assert "c2 always no /web anew" in busy.get("containers")


def test_it_is_on_before_the_restart_and_stays_on(busy: World) -> None:
    report = begin(busy, keeping_plan(busy))
    assert report.phase is TransactionPhase.COMMITTED, report
    assert report.containers_lost == ()
    assert busy.get("containers") == RUNNING
    assert busy.get("live-restore") == "true\n"
    assert busy.live() == {ENTRY}
    calls = busy.get("calls")
    assert calls.index("reload docker.service") < calls.index("restart docker.service")
    assert_no_leftovers(busy)


def test_a_daemon_that_keeps_containers_by_itself_is_not_reloaded(busy: World) -> None:
    busy.set("live-restore", "true\n")
    busy.file(DAEMON_JSON).write_text(SWITCHED_ON)
    plan = activated(restart_plan(busy), live_restore=LiveRestore.ON)
    assert begin(busy, plan).phase is TransactionPhase.COMMITTED
    assert busy.get("containers") == RUNNING
    assert "reload docker.service" not in busy.get("calls")


def test_where_it_does_not_come_on_nothing_is_restarted(busy: World) -> None:
    busy.set("reload-fails", "")
    report = begin(busy, keeping_plan(busy))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "live-restore-not-live")
    assert not busy.file(DAEMON_JSON).exists()
    assert not busy.file(DROP_IN).exists()
    assert "restart docker.service" not in busy.get("calls")
    assert_kept(busy)


@pytest.mark.parametrize("before", [None, "{}", '{\n  "debug": true\n}\n', '{"live-restore": false, "debug": true}'])
def test_a_change_that_fails_is_taken_back_without_stopping_anything(busy: World, before: str | None) -> None:
    if before is not None:
        busy.file(DAEMON_JSON).write_text(before)
    report = begin(busy, keeping_plan(busy, OPTIONS.replace(ENTRY, f"{ENTRY} --dies")))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "docker-start-failed")
    assert busy.get("active") == "active\n"
    assert (busy.file(DAEMON_JSON).read_text() if before is not None else None) == before
    assert_kept(busy)


def test_a_committed_change_is_taken_back_without_stopping_anything(busy: World) -> None:
    assert begin(busy, keeping_plan(busy)).phase is TransactionPhase.COMMITTED
    assert roll_back(busy).phase is TransactionPhase.ROLLED_BACK
    assert busy.live() == set()
    assert not busy.file(DAEMON_JSON).exists()
    assert_kept(busy)


def test_what_the_file_asks_for_stays_on_when_the_change_is_taken_back(busy: World) -> None:
    """The key was there, and the daemon had not read it yet."""
    busy.file(DAEMON_JSON).write_text(SWITCHED_ON)
    plan = activated(restart_plan(busy), live_restore=LiveRestore.PLANNED)
    assert begin(busy, plan).phase is TransactionPhase.COMMITTED
    assert roll_back(busy).phase is TransactionPhase.ROLLED_BACK
    assert busy.get("containers") == RUNNING
    assert busy.get("live-restore") == "true\n"
    assert busy.file(DAEMON_JSON).read_text() == SWITCHED_ON


def test_both_keys_of_one_file_are_revoked_by_one_reload(busy: World) -> None:
    """A daemon that was killed between the reload and the restart: both keys came in by the reload."""
    busy.set("kill-at", "keeping")
    config = f'{{"insecure-registries": ["{ENTRY}"], "live-restore": true}}'
    plan = activated(reload_plan(busy, config), action=Action.RESTART, live_restore=LiveRestore.PLANNED)
    begin(busy, plan)
    busy.wait_until_unlocked()
    assert status(busy).phase is TransactionPhase.ROLLED_BACK
    assert busy.live() == set()
    assert "restart docker.service" not in busy.get("calls")
    assert_kept(busy)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_node_is_old_again_and_nothing_has_stopped(busy: World, step: str) -> None:
    busy.set("kill-at", step)
    begin(busy, keeping_plan(busy))
    busy.wait_until_unlocked()
    assert busy.get("killed-at").strip() == step
    report = status(busy)
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "transaction-interrupted")
    assert not busy.file(DAEMON_JSON).exists()
    assert not busy.file(DROP_IN).exists()
    assert busy.live() == set()
    assert_kept(busy)


def test_a_container_that_stopped_all_the_same_takes_the_change_back(busy: World) -> None:
    """The daemon claims to keep containers and starts one anew; Docker has not counted that as its own doing."""
    busy.replace("systemctl", 'case "$*" in *restart*) sed -i "s/08:01/09:00/" "$WORLD/containers" ;; esac')
    report = begin(busy, keeping_plan(busy))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "containers-not-running")
    assert "web" in report.detail
    assert "one-off" not in report.detail


def test_a_container_that_ends_by_itself_while_others_run_on_is_told_and_no_fault_of_the_change(busy: World) -> None:
    busy.replace("systemctl", 'case "$*" in *restart*) sed -i /one-off/d "$WORLD/containers" ;; esac')
    report = begin(busy, keeping_plan(busy))
    assert report.phase is TransactionPhase.COMMITTED, report
    assert report.containers_lost == ("one-off",)


# It waits its twenty seconds for them, so one shell does.
@pytest.mark.parametrize("shell", ["dash"], indirect=True)
def test_where_no_container_runs_on_the_change_is_taken_back(world: World) -> None:
    running = "c1 no no /one-off 08:00 0\nc2 no no /other 08:01 0\n"
    world.set("containers", running)
    world.set("after-restart", "")
    # They stop at the first restart, and are there again after the one that takes the change back.
    stop = 'cat "$WORLD/after-restart" >"$WORLD/containers"; printf "%s" "$RUNNING" >"$WORLD/after-restart"'
    world.replace("systemctl", f"RUNNING='{running}'\ncase \"$*\" in restart*) {stop} ;; esac")
    report = begin(world, keeping_plan(world))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "containers-not-running")
    assert "one-off other" in report.detail


def test_a_container_that_ends_and_starts_by_itself_is_no_fault_of_the_change(busy: World) -> None:
    busy.replace("systemctl", 'case "$*" in *restart*) sed -i "s/08:01 0/09:00 1/" "$WORLD/containers" ;; esac')
    assert begin(busy, keeping_plan(busy)).phase is TransactionPhase.COMMITTED

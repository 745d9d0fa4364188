"""Transactions that were killed or could not be rolled back, and how many of them are kept."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.result import TransactionPhase
from harbor_agent.node.wire import programs as wire
from tests.lab.waiting import wait_until
from tests.node.transactions import (
    DAEMON_JSON,
    DROP_IN,
    ENTRY,
    OPTIONS,
    RESTART,
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
    from harbor_agent.model.result import TransactionReport
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

BACKUP = "/var/lib/harbor-agent/transactions/run-1/before.1"
STAGED = "/etc/docker/.daemon.json.harbor-agent.old"
OUT_OF_REACH = "/var/lib/harbor-agent/out-of-reach"
STEPS = (
    *("preflight", "prepared", "armed", "swapping-1", "swapped-1", "swapping-2", "swapped-2"),
    *("activating", "health", "committed"),
)


@pytest.mark.parametrize("journal", ["", "garbage\n", "\ncommitted 12 -"])
def test_a_journal_that_cannot_be_read_is_no_crash(world: World, journal: str) -> None:
    begin(world, restart_plan(world))
    world.wait_until_unlocked()
    world.file("/var/lib/harbor-agent/transactions/run-1/journal").write_text(journal)
    report = status(world)
    assert (report.phase, report.code) == (TransactionPhase.RUNNING, "journal-unreadable")


def read_change_time(world: World) -> int:
    found = re.search(
        rf"^file .* {DAEMON_JSON}\nchanged (\d+)$".encode(), world.run(wire.build_probe_program(())), re.MULTILINE
    )
    assert found
    return int(found[1])


def test_a_file_that_is_left_as_it_was_counts_as_unchanged_since(world: World) -> None:
    # Otherwise the runtime would not seem to have read it, and the next apply would ask for consent.
    file = world.file(DAEMON_JSON)
    file.write_text('{"first":1}')
    before = read_change_time(world)
    wait_until(lambda: time.time() > before + 1, "another second has begun", seconds=5)
    for step in ("prepared", "swapped-1", "swapped-1"):
        world.set("kill-at", step)
        begin(world, reload_plan(world, f'{{"insecure-registries":["{ENTRY}"]}}'), f"run-{step}-{os.urandom(2).hex()}")
        world.wait_until_unlocked()
        assert file.stat().st_ctime > before + 1, "the node itself sees another time"
        assert read_change_time(world) == before
    file.write_text('{"first":1}')
    assert read_change_time(world) > before


def test_backups_stay_few_and_the_pristine_original_for_good(world: World) -> None:
    world.file(DAEMON_JSON).write_text('{"first":1}')
    for count in range(7):
        plan = reload_plan(world, f'{{"insecure-registries":["{ENTRY}"],"count":{count}}}')
        assert begin(world, plan, f"run-{count}").phase is TransactionPhase.COMMITTED
    assert len(list(world.file("/var/lib/harbor-agent/transactions").iterdir())) <= 6
    pristine = world.file("/var/lib/harbor-agent/pristine")
    assert [path.read_text() for path in pristine.iterdir() if path.name != "manifest"] == ['{"first":1}']


def test_what_went_down_before_it_changed_anything_is_not_kept_for_good(world: World) -> None:
    world.set("no-stop-post", "")
    for count in range(7):
        world.set("kill-at", "prepared")
        assert begin(world, restart_plan(world), f"run-{count}").phase is not TransactionPhase.COMMITTED
        world.wait_until_unlocked()
    assert begin(world, restart_plan(world), "run-7").phase is TransactionPhase.COMMITTED
    world.wait_until_unlocked()
    assert len(list(world.file("/var/lib/harbor-agent/transactions").iterdir())) <= 6


def test_what_was_settled_at_boot_is_not_kept_for_good(world: World) -> None:
    world.set("no-stop-post", "")
    for count in range(7):
        world.set("kill-at", "swapped-1")
        begin(world, restart_plan(world), f"run-{count}")
        world.wait_until_unlocked()
        world.recover(f"run-{count}")
        assert status(world, f"run-{count}").phase is TransactionPhase.ROLLED_BACK
    assert len(list(world.file("/var/lib/harbor-agent/transactions").iterdir())) == 5


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_node_is_wholly_old_or_wholly_new(world: World, step: str) -> None:
    plan = restart_plan(world, OPTIONS, change(world, DAEMON_JSON, "{}"))
    world.set("kill-at", step)
    report = begin(world, plan)
    world.wait_until_unlocked()
    assert world.get("killed-at").strip() == step
    assert_whole(world, report)
    assert report.phase is (TransactionPhase.COMMITTED if step == "committed" else report.phase)
    assert_no_leftovers(world)


def test_a_killed_transaction_that_is_being_restored_is_under_way(world: World) -> None:
    world.set("no-stop-post", "")
    world.set("kill-at", "swapped-1")
    begin(world, restart_plan(world))
    world.wait_until_unlocked()
    with world.file("/var/lib/harbor-agent/transactions/run-1/journal").open("a") as journal:
        journal.write("\nrestoring 5 transaction-interrupted - .\n")
    assert (status(world).phase, status(world).code) == (TransactionPhase.RUNNING, "transaction-interrupted")
    world.set("lock", "run-1\n")
    assert (status(world).phase, status(world).code) == (TransactionPhase.RUNNING, "")
    world.set("lock", "")


@pytest.mark.parametrize("step", STEPS)
def test_after_a_reboot_at_any_step_the_node_is_wholly_old_or_wholly_new(world: World, step: str) -> None:
    plan = restart_plan(world, OPTIONS, change(world, DAEMON_JSON, "{}"))
    world.set("kill-at", step)
    world.set("no-stop-post", "")
    begin(world, plan)
    world.wait_until_unlocked()
    assert world.get("killed-at").strip() == step
    world.recover("run-1")
    assert_whole(world, status(world))
    assert_no_leftovers(world)


def test_directories_of_a_change_are_removed_with_it_after_a_power_cut(world: World) -> None:
    folder = world.file(DROP_IN).parent
    assert not folder.exists()
    world.set("kill-at", "committed")
    world.set("no-stop-post", "")
    begin(world, restart_plan(world))
    world.wait_until_unlocked()
    world.recover("run-1")
    assert status(world).phase is TransactionPhase.COMMITTED
    removal = activated(restart_plan(world), expected=(), unexpected=(ENTRY,))
    report = begin(world, replace(removal, changes=(change(world, DROP_IN, None),)), "run-2")
    assert report.phase is TransactionPhase.COMMITTED, report.detail
    world.wait_until_unlocked()
    assert not folder.exists()


def assert_whole(world: World, report: TransactionReport) -> None:
    if report.phase is TransactionPhase.COMMITTED:
        assert world.file(DROP_IN).read_text() == OPTIONS
        assert world.file(DAEMON_JSON).read_text() == "{}"
        assert world.live() == {ENTRY}
    else:
        assert report.phase in (TransactionPhase.ROLLED_BACK, TransactionPhase.REFUSED)
        assert report.code == "transaction-interrupted"
        assert not world.file(DROP_IN).parent.exists()
        assert not world.file(DAEMON_JSON).exists()
        assert not world.file("/var/lib/harbor-agent/record/docker.json").exists()
        assert world.live() == set()
    assert world.get("active") == "active\n"


@pytest.fixture
def stuck(world: World) -> World:
    """A node whose change failed and could not be taken back: the backup was out of reach."""
    world.file(DAEMON_JSON).write_text("{}\n")
    plan = reload_plan(world, f'{{"insecure-registries":["{ENTRY}"]}}\n')
    world.set("reload-fails", "")
    hide = f"mv {BACKUP} {OUT_OF_REACH}; rm {STAGED}"
    world.replace("systemctl", f'[ "$1" != reload ] || [ ! -e {BACKUP} ] || {{ {hide}; }}')
    report = begin(world, plan)
    world.wait_until_unlocked()
    assert (report.phase, report.code) == (TransactionPhase.ROLLBACK_FAILED, "restore-failed")
    return world


def test_what_could_not_be_taken_back_is_pending_for_the_probe_and_the_next_change(stuck: World) -> None:
    assert wire.decode_probe(stuck.run(wire.build_probe_program([]))).pending_transaction == "run-1"
    other = begin(stuck, reload_plan(stuck, "{}"), "run-2")
    assert (other.phase, other.code) == (TransactionPhase.REFUSED, "transaction-pending")
    assert "run-1" in other.detail


def test_what_could_not_be_taken_back_is_taken_back_once_that_is_possible(stuck: World) -> None:
    assert roll_back(stuck).phase is TransactionPhase.ROLLBACK_FAILED
    stuck.wait_until_unlocked()
    assert wire.decode_probe(stuck.run(wire.build_probe_program([]))).pending_transaction == "run-1"
    stuck.file(OUT_OF_REACH).rename(stuck.file(BACKUP))
    (stuck.state / "reload-fails").unlink()
    stuck.replace("systemctl", "")
    assert roll_back(stuck).phase is TransactionPhase.ROLLED_BACK
    assert stuck.file(DAEMON_JSON).read_text() == "{}\n"
    assert_no_leftovers(stuck)
    assert wire.decode_probe(stuck.run(wire.build_probe_program([]))).pending_transaction is None
    plan = reload_plan(stuck, f'{{"insecure-registries":["{ENTRY}"]}}\n')
    assert begin(stuck, plan, "run-2").phase is TransactionPhase.COMMITTED


def test_a_daemon_that_did_not_come_back_is_pending_until_it_runs(world: World) -> None:
    folder = world.file(DROP_IN).parent
    folder.mkdir()
    (folder / "00-broken.conf").write_text("[Service]\nEnvironment=X= --dies\n")
    assert begin(world, restart_plan(world)).phase is TransactionPhase.ROLLBACK_FAILED
    assert_no_leftovers(world)
    assert wire.decode_probe(world.run(wire.build_probe_program([]))).pending_transaction == "run-1"
    (folder / "00-broken.conf").unlink()
    world.execute(RESTART.split())
    assert wire.decode_probe(world.run(wire.build_probe_program([]))).pending_transaction is None
    assert begin(world, restart_plan(world), "run-2").phase is TransactionPhase.COMMITTED


COPY = "/run/harbor-agent.abc123/daemon.json"
PULLING = "/run/harbor-agent-pull.abc123/config.json"


@pytest.fixture
def littered(world: World) -> World:
    """A node on which a judgement was killed, while somebody else's pull is under way."""
    for path in (COPY, PULLING):
        world.file(path).parent.mkdir()
        world.file(path).write_text('{"proxies": {"http-proxy": "http://user:hunter2@proxy"}}')
    return world


def test_a_copy_of_the_configuration_that_a_kill_left_goes_with_the_next_change(littered: World) -> None:
    assert begin(littered, restart_plan(littered)).phase is TransactionPhase.COMMITTED
    assert not littered.file(COPY).parent.exists()
    assert littered.file(PULLING).exists()


def test_a_copy_of_the_configuration_goes_with_the_unit_that_was_killed(littered: World) -> None:
    littered.set("kill-at", "preflight")
    begin(littered, restart_plan(littered))
    littered.wait_until_unlocked()
    assert littered.get("killed-at").strip() == "preflight"
    assert not littered.file(COPY).parent.exists()
    assert littered.file(PULLING).exists()


def test_where_dockerd_judges_as_root_nobody_else_may_read_the_copy(world: World) -> None:
    world.replace("docker", "case \"$*\" in 'info --format server'*) echo 'server 24.0.7'; exit ;; esac")
    world.replace(
        "dockerd",
        'for file; do [ ! -f "$file" ] || stat -c "%a %u" "$file" "${file%/*}" >"$WORLD/seen"; done\n'
        'case "$*" in *--validate*) exit 0 ;; esac',
    )
    begin(world, restart_plan(world))
    assert world.get("seen").splitlines() == ["400 0", "700 0"]
    assert_no_leftovers(world)

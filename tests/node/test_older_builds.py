"""Nodes that an older build has changed: plans that name no runtime, and each transaction with its own transaction.sh.

`older` is what such a build left on a node after a committed change of daemon.json and docker-options.conf.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.result import TransactionPhase
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import (
    DAEMON_JSON,
    DROP_IN,
    ENTRY,
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
    from harbor_agent.model.state import NodeState
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

OLDER = Path(__file__).parent / "older"
RUN = "20260101T000000Z-1"
STATE = "/var/lib/harbor-agent"
FOLDER = f"{STATE}/transactions/{RUN}"
RECOVERY = "/etc/systemd/system/harbor-agent-recovery.service"
BEFORE = '{"debug": true}\n'


def probe(world: World) -> NodeState:
    return wire.decode_probe(world.run(wire.build_probe_program([])))


@pytest.fixture
def committed(world: World) -> World:
    """A node after the change, as the older build left it."""
    for folder in ("etc", "var"):
        shutil.copytree(OLDER / folder, world.file(f"/{folder}"), dirs_exist_ok=True)
    shutil.copy(OLDER / "transaction.sh", world.file(FOLDER))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    world.file(f"{FOLDER}/boot-id").write_text(boot)
    assert "runtime" not in world.file(f"{FOLDER}/plan").read_text()
    world.execute(RESTART.split())
    assert world.live() == {ENTRY}
    return world


def interrupt(world: World, step: str) -> None:
    """Let the transaction have ended after this step."""
    journal = world.file(f"{FOLDER}/journal")
    kept, found, _ = journal.read_text().partition(f"\n{step} 1 - - .\n")
    assert found
    journal.write_text(kept + found)
    world.file(f"{STATE}/record/docker.json").unlink()
    shutil.rmtree(world.file(DROP_IN).parent)
    world.execute(RESTART.split())
    assert world.live() == set()


@pytest.fixture
def half_done(committed: World) -> World:
    """A node on which the older build was killed between two files, its recovery armed."""
    interrupt(committed, "swapped-1")
    shutil.copy(OLDER / RECOVERY.rpartition("/")[2], committed.file(RECOVERY))
    return committed


@pytest.fixture
def prepared(committed: World) -> World:
    """A node on which the older build was killed before it changed anything."""
    interrupt(committed, "prepared")
    committed.file(DAEMON_JSON).write_text(BEFORE)
    return committed


def test_the_record_and_the_files_from_before_are_read(committed: World) -> None:
    state = probe(committed)
    assert (state.pending_transaction, state.unreadable) == (None, ())
    assert state.records["docker"].run_id == RUN
    assert state.records["docker"].entries == (ENTRY,)
    snapshot = wire.decode_snapshot(committed.run(wire.build_snapshot_program("last")))
    assert (snapshot.transaction, snapshot.runtime) == (RUN, "docker")
    assert {file.path: file.state.content for file in snapshot.files} == {DAEMON_JSON: BEFORE.encode(), DROP_IN: None}
    pristine = wire.decode_snapshot(committed.run(wire.build_snapshot_program("pristine")))
    assert {file.path for file in pristine.files} == {DAEMON_JSON, DROP_IN}


def test_it_is_rolled_back_by_its_own_program(committed: World) -> None:
    assert status(committed, RUN).phase is TransactionPhase.COMMITTED
    assert roll_back(committed, RUN).phase is TransactionPhase.ROLLED_BACK
    assert_restored(committed)
    assert not probe(committed).records


def test_a_new_change_follows_and_goes_back_to_the_older_record(committed: World) -> None:
    record = committed.file(f"{STATE}/record/docker.json").read_text()
    removal = activated(restart_plan(committed), expected=(), unexpected=(ENTRY,))
    removal = replace(removal, changes=(change(committed, DROP_IN, None),))
    assert begin(committed, removal, "run-2").phase is TransactionPhase.COMMITTED
    assert committed.live() == set()
    assert roll_back(committed, "run-2").phase is TransactionPhase.ROLLED_BACK
    assert committed.live() == {ENTRY}
    assert committed.file(f"{STATE}/record/docker.json").read_text() == record


def test_one_that_is_half_done_is_pending(half_done: World) -> None:
    assert probe(half_done).pending_transaction == RUN
    report = status(half_done, RUN)
    assert (report.phase, report.code) == (TransactionPhase.RUNNING, "transaction-interrupted")
    other = begin(half_done, reload_plan(half_done, "{}"), "run-2")
    assert (other.phase, other.code) == (TransactionPhase.REFUSED, "transaction-pending")
    assert RUN in other.detail


def test_one_that_is_half_done_is_rolled_back(half_done: World) -> None:
    assert roll_back(half_done, RUN).phase is TransactionPhase.ROLLED_BACK
    assert_restored(half_done)
    assert probe(half_done).pending_transaction is None


def test_one_that_is_half_done_is_restored_at_boot(half_done: World) -> None:
    half_done.recover(RUN)
    assert status(half_done, RUN).phase is TransactionPhase.ROLLED_BACK
    assert_restored(half_done)


def test_one_that_changed_nothing_is_in_nobodys_way(prepared: World) -> None:
    assert probe(prepared).pending_transaction is None
    assert status(prepared, RUN).phase is TransactionPhase.REFUSED
    plan = reload_plan(prepared, f'{{"insecure-registries":["{ENTRY}"]}}')
    assert begin(prepared, plan, "run-2").phase is TransactionPhase.COMMITTED


def assert_restored(world: World) -> None:
    assert world.file(DAEMON_JSON).read_text() == BEFORE
    assert not world.file(DROP_IN).exists()
    assert world.live() == set()
    assert_no_leftovers(world)

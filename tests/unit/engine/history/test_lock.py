"""One run at a time: another one learns the holder, and a killed run holds nothing."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import signal
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.lock import find_lock_file, hold_lock, list_lock_states, release_locks
from harbor_agent.engine.history.waiting import Waiting
from harbor_agent.engine.locks.run import LockRequest, hold_locks
from harbor_agent.errors import ExitCode, LockedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.engine.history.lock import LockState


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def read_lock_state() -> LockState:
    """The state of the only lock."""
    (state,) = list_lock_states()
    return state


def _hold(ready: multiprocessing.synchronize.Event, end: multiprocessing.synchronize.Event) -> None:
    with hold_lock("run-1"):
        ready.set()
        end.wait(30)


@pytest.fixture
def other() -> Iterator[multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(ready, end))
    process.start()
    assert ready.wait(30)
    yield process
    # not by the event: a child that was killed while it waited would keep its lock
    process.kill()
    process.join(30)


def test_a_free_lock_is_held_and_released() -> None:
    with hold_lock("run-1") as left_behind:
        assert left_behind is None
        assert find_lock_file().stat().st_mode & 0o777 == 0o600
    assert read_lock_state().held is False
    assert read_lock_state().holder is None


def test_the_error_names_the_holder(other: multiprocessing.process.BaseProcess) -> None:
    with pytest.raises(LockedError, match=rf"@.*process {other.pid}, run run-1, since") as caught, hold_lock("run-2"):
        pytest.fail("two runs at once")
    assert caught.value.exit_code == 75
    assert read_lock_state().held
    with pytest.raises(LockedError, match="still running"):
        release_locks()


def test_a_killed_run_holds_nothing_and_is_reported_once(other: multiprocessing.process.BaseProcess) -> None:
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join(30)
    state = read_lock_state()
    assert (state.held, state.holder.run_id if state.holder else None) == (False, "run-1")
    with hold_lock("run-2") as left_behind:
        assert left_behind is not None
        assert left_behind.run_id == "run-1"
    with hold_lock("run-3") as left_behind:
        assert left_behind is None


def test_the_entry_of_a_killed_run_can_be_released(other: multiprocessing.process.BaseProcess) -> None:
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join(30)
    assert [state.holder.run_id for state in release_locks() if state.holder] == ["run-1"]
    assert read_lock_state().holder is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b'{"user": 1}', b"x" * 100_000])
def test_a_corrupt_lock_file_is_not_an_error(content: bytes) -> None:
    find_lock_file().parent.mkdir(parents=True)
    find_lock_file().write_bytes(content)
    assert read_lock_state().holder is None
    with hold_lock("run-1") as left_behind:
        assert left_behind is None


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="not a directory"), hold_lock("run-1"):
        pytest.fail("locked nothing")


def test_a_user_without_a_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # as in a container that was started with a number of its own
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    with hold_lock("run-1"):
        holder = read_lock_state().holder
    assert holder is not None
    assert holder.user == "987654321"


def test_each_inventory_has_a_lock_of_its_own(other: multiprocessing.process.BaseProcess) -> None:
    assert other.is_alive()
    with hold_lock("run-2", "a,"), hold_lock("run-3", "b,"):
        assert sorted(state.holder.run_id for state in list_lock_states() if state.holder) == [
            "run-1",
            "run-2",
            "run-3",
        ]
        with pytest.raises(LockedError, match="run run-2"), hold_lock("run-4", "a,"):
            pytest.fail("two runs of one inventory")


def test_a_run_waits_as_long_as_it_is_allowed_to(other: multiprocessing.process.BaseProcess) -> None:
    told: list[str] = []

    def report(text: str) -> None:
        told.append(text)
        other.kill()

    with hold_lock("run-2", waiting=Waiting(seconds=30.0, report=report)) as left_behind:
        assert left_behind is not None
    assert len(told) == 1
    assert "waiting for the lock, at most 30 seconds" in told[0]
    assert f"process {other.pid}, run run-1" in told[0]


def test_a_stop_ends_the_wait(other: multiprocessing.process.BaseProcess) -> None:
    assert other.is_alive()
    waiting = Waiting(seconds=600.0, stop=lambda: ExitCode.INTERRUPTED)
    with pytest.raises(LockedError, match="run run-1"), hold_lock("run-2", waiting=waiting):
        pytest.fail("two runs at once")


def test_an_inventory_keeps_its_lock_by_any_path_and_when_it_is_edited(tmp_path: Path) -> None:
    inventory, link = tmp_path / "hosts", tmp_path / "link"
    inventory.write_text("node1\n")
    link.symlink_to(inventory)
    with hold_lock("run-1", str(inventory)):
        inventory.write_text("node1\nnode2\n")
        with pytest.raises(LockedError, match="run run-1"), hold_lock("run-2", str(link)):
            pytest.fail("two runs of one inventory")


def test_runs_that_share_one_of_their_inventories_exclude_each_other() -> None:
    first = LockRequest(run_id="run-1", waiting=Waiting(), inventories=("a,", "b,", "b,"))
    second = LockRequest(run_id="run-2", waiting=Waiting(), inventories=("b,", "c,"))
    with hold_locks(first), pytest.raises(LockedError, match="run run-1"), hold_locks(second):
        pytest.fail("two runs of one inventory")
    with hold_locks(second):
        assert {state.held for state in list_lock_states() if state.holder} == {True}

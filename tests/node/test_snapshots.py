"""Snapshots of a node: the states to which each transaction can be rolled back, byte for byte."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.model.plan import Plan
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.snapshot import SavedFile, Snapshot
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import DAEMON_JSON, DROP_IN, OPTIONS, activation, begin, change, restart_plan, roll_back

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.model.plan import FileChange
    from tests.node.conftest import World

BINARY = bytes(range(256)) * 9
STATE = "/var/lib/harbor-agent"


def history(world: World, what: str) -> Snapshot:
    return wire.decode_snapshot(world.run(wire.build_snapshot_program(what)))


def objection(world: World, what: str) -> tuple[str, str]:
    with pytest.raises(wire.WireError) as caught:
        history(world, what)
    assert caught.value.problem.hint
    return caught.value.problem.code, caught.value.problem.message


def text(path: str, content: bytes, mode: int = 0o644) -> FileState:
    return FileState(path=path, kind=FileKind.REGULAR, content=content, mode=mode)


def written(content: bytes, mode: int = 0o644) -> str:
    return f"regular {mode:o} 0 0 {hashlib.sha256(content).hexdigest()}"


def commit(world: World, plan: Plan, transaction: str) -> None:
    assert begin(world, plan, transaction).phase is TransactionPhase.COMMITTED
    world.wait_until_unlocked()


def snapshot(world: World) -> dict[Path, tuple[int, bytes | None]]:
    """Every path of the node, when it was changed and what it holds."""
    paths = [path for folder in ("/etc", "/var", "/run") for path in world.file(folder).rglob("*")]
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in paths}


def files_only(*changes: FileChange) -> Plan:
    return Plan(node="node1", reason="a test", changes=changes, activation=activation())


@pytest.mark.needs("root")
def test_a_committed_transaction_tells_what_was_there(world: World) -> None:
    world.file(DAEMON_JSON).write_bytes(b'{"debug": true}')
    world.file(DAEMON_JSON).chmod(0o600)
    commit(world, restart_plan(world, OPTIONS, change(world, DAEMON_JSON, "{}\n")), "run-1")
    assert history(world, "run-1") == Snapshot(
        transaction="run-1",
        runtime="docker",
        phase=TransactionPhase.COMMITTED,
        files=(
            SavedFile(path=DAEMON_JSON, state=text(DAEMON_JSON, b'{"debug": true}', 0o600), written=written(b"{}\n")),
            SavedFile(path=DROP_IN, state=FileState(path=DROP_IN), written=written(OPTIONS.encode())),
        ),
    )


@pytest.mark.needs("root")
def test_content_of_any_kind_and_size_comes_back_as_it_was(world: World) -> None:
    contents = {"/etc/docker/empty": b"", "/etc/docker/binary": BINARY, "/etc/docker/large file": b"x\n" * 200_000}
    for path, content in contents.items():
        world.file(path).write_bytes(content)
    commit(world, files_only(*(change(world, path, "gone") for path in contents)), "run-1")
    assert {backup.path: backup.state.content for backup in history(world, "run-1").files} == contents


@pytest.mark.needs("root")
def test_a_deleted_file_is_one_that_was_written_absent(world: World) -> None:
    world.file(DAEMON_JSON).write_bytes(b"{}")
    commit(world, files_only(change(world, DAEMON_JSON, None)), "run-1")
    (backup,) = history(world, "run-1").files
    assert backup.written == "absent - - - -"
    assert backup.state == text(DAEMON_JSON, b"{}")


@pytest.mark.needs("root")
def test_the_last_one_is_the_newest_that_is_committed(world: World) -> None:
    # Against the alphabet, so that the order of names does not help.
    commit(world, restart_plan(world), "run-2")
    commit(world, restart_plan(world, OPTIONS + "# more\n"), "run-1")
    assert history(world, "last").transaction == "run-1"
    assert history(world, "last").files[0].state.content == OPTIONS.encode()
    assert history(world, "run-2").files[0].state == FileState(path=DROP_IN)
    roll_back(world, "run-1")
    world.wait_until_unlocked()
    assert history(world, "last").transaction == "run-2"


@pytest.mark.needs("root")
def test_one_that_refused_to_be_taken_back_is_no_newer_for_it(world: World) -> None:
    commit(world, files_only(change(world, DAEMON_JSON, "{}")), "run-1")
    commit(world, restart_plan(world), "run-2")
    world.file(DAEMON_JSON).write_bytes(b"{} ")
    assert roll_back(world, "run-1").code == "plan-stale"
    world.wait_until_unlocked()
    assert history(world, "last").transaction == "run-2"


@pytest.mark.needs("root")
def test_one_that_was_rolled_back_is_told_as_such_and_is_not_the_last(world: World) -> None:
    begin(world, restart_plan(world, "[Service]\n"))
    world.wait_until_unlocked()
    assert history(world, "run-1").phase is TransactionPhase.ROLLED_BACK
    assert objection(world, "last")[0] == "history-empty"


@pytest.mark.needs("root")
def test_one_that_was_broken_off_is_told_as_running(world: World) -> None:
    world.set("kill-at", "swapped-1")
    world.set("no-stop-post", "")
    begin(world, restart_plan(world))
    assert history(world, "run-1").phase is TransactionPhase.RUNNING
    assert objection(world, "last")[0] == "history-empty"


@pytest.mark.needs("root")
def test_one_that_was_refused_has_nothing_to_take_back(world: World) -> None:
    plan = restart_plan(world, OPTIONS, change(world, DAEMON_JSON, "{}"))
    world.file(DAEMON_JSON).write_bytes(b"{} ")
    assert begin(world, plan).phase is TransactionPhase.REFUSED
    world.wait_until_unlocked()
    assert objection(world, "run-1") == ("history-empty", "transaction run-1 changed nothing")
    assert objection(world, "last")[0] == "history-empty"


@pytest.mark.needs("root")
def test_without_a_journal_the_backups_are_word_enough(world: World) -> None:
    world.file(DAEMON_JSON).write_bytes(b"{}")
    commit(world, files_only(change(world, DAEMON_JSON, '{"debug":true}')), "run-1")
    world.file(f"{STATE}/transactions/run-1/journal").write_text("garbage\n")
    assert history(world, "run-1").files[0].state.content == b"{}"


@pytest.mark.needs("root")
def test_pristine_is_what_was_there_before_the_first_of_all(world: World) -> None:
    world.file(DAEMON_JSON).write_bytes(BINARY)
    world.file(DAEMON_JSON).chmod(0o640)
    commit(world, files_only(change(world, DAEMON_JSON, "{}")), "run-1")
    commit(world, restart_plan(world, OPTIONS, change(world, DAEMON_JSON, '{"debug":true}')), "run-2")
    assert history(world, "pristine") == Snapshot(
        transaction="pristine",
        runtime="",
        files=(
            SavedFile(path=DAEMON_JSON, state=text(DAEMON_JSON, BINARY, 0o640), written=""),
            SavedFile(path=DROP_IN, state=FileState(path=DROP_IN), written=""),
        ),
    )


@pytest.mark.needs("root")
@pytest.mark.parametrize("torn", ["9 regular 644 0 0 e3b0c4", f"9 {written(b'{}')} /etc/doc", "\n", "\0" * 9])
def test_a_line_of_the_manifest_that_was_broken_off_is_left_out_and_spoils_no_other(world: World, torn: str) -> None:
    commit(world, restart_plan(world), "run-1")
    with world.file(f"{STATE}/pristine/manifest").open("a") as manifest:
        manifest.write(torn)
    assert [backup.path for backup in history(world, "pristine").files] == [DROP_IN]
    world.file(DAEMON_JSON).write_bytes(b"{}")
    commit(world, files_only(change(world, DAEMON_JSON, '{"debug":true}')), "run-2")
    assert [(backup.path, backup.state.content) for backup in history(world, "pristine").files] == [
        (DROP_IN, None),
        (DAEMON_JSON, b"{}"),
    ]


@pytest.mark.needs("root")
@pytest.mark.parametrize("what", ["last", "pristine", "run-1"])
def test_a_node_that_was_never_changed_has_no_history(world: World, what: str) -> None:
    code, message = objection(world, what)
    assert code == "history-empty"
    assert STATE in message
    assert not world.file(STATE).exists()


@pytest.mark.needs("root")
def test_an_unknown_transaction_is_answered_with_those_that_are_known(world: World) -> None:
    commit(world, restart_plan(world), "run-1")
    commit(world, restart_plan(world, OPTIONS + "# more\n"), "run-2")
    code, message = objection(world, "run-3")
    assert code == "history-unknown"
    assert message.endswith("no transaction run-3; it knows run-2 run-1")


@pytest.mark.needs("root")
@pytest.mark.parametrize("damage", [None, b"", b"{} "])
@pytest.mark.parametrize(("what", "backup"), [("run-1", "transactions/run-1/before.1"), ("pristine", "pristine/1")])
def test_a_backup_that_is_not_what_it_was_is_not_used(
    world: World, what: str, backup: str, damage: bytes | None
) -> None:
    world.file(DAEMON_JSON).write_bytes(b"{}")
    commit(world, files_only(change(world, DAEMON_JSON, '{"debug":true}')), "run-1")
    file = world.file(f"{STATE}/{backup}")
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    code, message = objection(world, what)
    assert code == "history-backup-missing"
    assert DAEMON_JSON in message
    assert str(STATE) in message


@pytest.mark.needs("root")
def test_asking_changes_nothing(world: World) -> None:
    commit(world, restart_plan(world), "run-1")
    world.set("calls", "")
    before = snapshot(world)
    for what in ("run-1", "last", "pristine"):
        history(world, what)
    assert snapshot(world) == before
    assert world.get("calls") == ""


@pytest.mark.needs("root")
def test_without_root_it_says_so(world: World) -> None:
    commit(world, restart_plan(world), "run-1")
    world.replace("id", "echo 1000; exit")
    assert objection(world, "last")[0] == "not-root"


def test_a_truncated_program_does_nothing(shell: str, tmp_path: Path) -> None:
    """Every tool that it could start would leave a trace: the only PATH is a folder of tracers."""
    program = wire.build_snapshot_program("last")
    trace = tmp_path / "trace"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("id", "stat", "sort", "sed", "base64", "sha256sum", "cat", "grep"):
        (tools / tool).write_text(f"#!/bin/dash\necho {tool} >>{trace}\n")
        (tools / tool).chmod(0o755)
    name, *words = shell.split()
    command = [shutil.which(name) or name, *words, "-s", "--", *program.arguments]
    last = len(program.stdin) - len(b'main "$@"\n')
    for length in (*range(0, last, len(program.stdin) // 60), *range(last - 20, last + 4)):
        ended = subprocess.run(
            command, input=program.stdin[:length], env={"PATH": str(tools)}, capture_output=True, check=False
        )
        assert not trace.exists(), f"cut after {length} bytes it ran {trace.read_text()}"
        assert ended.stdout == b""


@pytest.mark.parametrize("what", ["", "../x", "a b", ".", "$(id)", "x" * 65, "run-1\n"])
def test_what_is_no_plain_word_is_not_asked_for(what: str) -> None:
    with pytest.raises(ValueError, match="neither a transaction ID"):
        wire.build_snapshot_program(what)


@given(noise=st.binary())
def test_noise_is_an_error_and_never_a_crash(noise: bytes) -> None:
    lines = (b"", b"file ", b"problem history-empty ", b"file absent - - - - ", b"phase ")
    frames = [b"harbor-agent/history/1 begin\n" + line + noise + b"\nharbor-agent/history/1 end\n" for line in lines]
    for document in (noise, *frames, frames[0].removesuffix(b"1 end\n")):
        with pytest.raises(wire.WireError):
            wire.decode_snapshot(document)


def test_a_truncated_document_is_an_error() -> None:
    document = (
        b"harbor-agent/history/1 begin\ntransaction run-1\nphase committed\nruntime docker\n"
        b"file absent - - - - absent - - - - /etc/docker/daemon.json\n\n.\n"
        b"harbor-agent/history/1 end\n"
    )
    assert wire.decode_snapshot(document).files[0].path == DAEMON_JSON
    for length in range(len(document) - 1):
        with pytest.raises(wire.WireError):
            wire.decode_snapshot(document[:length])

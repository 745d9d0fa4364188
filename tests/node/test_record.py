"""The record of a node that needed no change: written whole or not at all, and never during a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.state import EarlierSetting, Record
from harbor_agent.node.wire import programs as wire

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

RECORD = Record(
    run_id="run-1",
    approved_run="run-1",
    policy_digest="d",
    file_hashes={"/etc/docker/daemon.json": "absent"},
    argv=("dockerd", "--label=a b 'c'"),
    expected_entries=("harbor.lan",),
    original_hashes={"/etc/containerd/config.toml": "absent"},
    earlier_settings={"/etc/containerd/config.toml": EarlierSetting(value=None, names=("docker.io",))},
)
FILE = "/var/lib/harbor-agent/record/docker.json"


def write(world: World, record: Record) -> object:
    return wire.decode_recorded(world.run(wire.build_record_program(record, "docker")))


def remembered(world: World) -> Record | None:
    return wire.decode_probe(world.run(wire.build_probe_program([]))).records.get("docker")


def test_it_is_written_for_root_only_and_may_be_repeated(world: World) -> None:
    for note in ("first", "second"):
        record = Record(run_id="run-1", note=note)
        assert write(world, record) is None
        assert remembered(world) == record
    assert write(world, RECORD) is None
    assert remembered(world) == RECORD
    assert world.file("/var/lib/harbor-agent").stat().st_mode & 0o777 == 0o700
    assert world.file(FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in world.file(FILE).parent.iterdir()] == ["docker.json"]


def test_a_transaction_under_way_writes_its_own(world: World) -> None:
    assert write(world, RECORD) is None
    recovery = world.file("/etc/systemd/system/harbor-agent-recovery.service")
    recovery.write_text("[Service]\nExecStart=/bin/sh x recover run-2\n")
    problem = write(world, Record(run_id="run-3"))
    assert getattr(problem, "code", None) == "transaction-running"
    recovery.unlink()
    assert remembered(world) == RECORD


def test_a_place_that_cannot_be_written_is_said_and_keeps_what_was_there(world: World) -> None:
    assert write(world, RECORD) is None
    world.replace("sync", 'case $* in *docker.json*) echo "No space left on device" >&2; exit 1 ;; esac')
    problem = write(world, Record(run_id="run-3"))
    assert getattr(problem, "code", None) == "state-not-writable"
    assert "No space left on device" in str(problem)
    assert wire.decode_record(world.file(FILE).read_bytes(), "docker") == RECORD


@pytest.mark.parametrize("answer", [b"", b"harbor-agent/recorded/1 begin\nharbor-agent/recorded/1 end\n"])
def test_an_answer_that_says_nothing_is_an_error(answer: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_recorded(answer)

"""The transaction: the files and the daemon of a node afterwards, after a change or a rollback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from harbor_agent.model.dns import DnsEntry
from harbor_agent.model.plan import Action, FileChange, Plan
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import (
    DAEMON_JSON,
    DROP_IN,
    ENTRY,
    OPTIONS,
    RELOAD,
    RESTART,
    activated,
    activation,
    assert_no_leftovers,
    begin,
    change,
    observed,
    reload_plan,
    restart_plan,
    roll_back,
    status,
)

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")


def test_a_change_is_committed_and_recorded(world: World) -> None:
    report = begin(world, restart_plan(world))
    assert report.phase is TransactionPhase.COMMITTED, report
    assert report.code == ""
    assert world.file(DROP_IN).read_text() == OPTIONS
    assert world.file(DROP_IN).stat().st_mode & 0o7777 == 0o644
    assert world.live() == {ENTRY}
    state = wire.decode_probe(world.run(wire.build_probe_program([])))
    assert state.records["docker"] == Record(run_id="run-1", entries=(ENTRY,))
    assert state.pending_transaction is None
    assert world.file("/var/lib/harbor-agent").stat().st_mode & 0o77 == 0
    assert_no_leftovers(world)


def test_the_steps_are_printed_as_they_begin(world: World) -> None:
    world.replace("systemctl", 'case "$1" in restart) sleep 1 ;; esac')
    record = wire.encode_record(Record(run_id="run-1", entries=(ENTRY,)))
    plan = restart_plan(world)
    output = world.run(wire.build_begin_program(plan, transaction="run-1", record=record, deadline=9))
    assert wire.decode_report(output).phase is TransactionPhase.COMMITTED
    shown = [word for line in output.split(b"\n") if (word := wire.read_step(line))]
    journal = world.file("/var/lib/harbor-agent/transactions/run-1/journal").read_text().splitlines()
    written = [line.partition(" ")[0] for line in journal if line]
    assert "activating" in shown
    assert shown == [word for word in written if word in shown]


def test_asking_again_changes_nothing_more(world: World) -> None:
    plan = restart_plan(world)
    first = begin(world, plan)
    restarts = world.get("calls").count("restart docker")
    assert begin(world, plan) == first == status(world)
    assert world.get("calls").count("restart docker") == restarts


def test_owner_and_mode_are_as_planned_and_come_back(world: World) -> None:
    world.file(DAEMON_JSON).write_text("{}\n")
    world.file(DAEMON_JSON).chmod(0o600)
    plan = reload_plan(world, f'{{"insecure-registries":["{ENTRY}"]}}\n')
    assert begin(world, plan).phase is TransactionPhase.COMMITTED
    assert world.file(DAEMON_JSON).stat().st_mode & 0o7777 == 0o644
    report = roll_back(world)
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "rollback-requested")
    assert world.file(DAEMON_JSON).stat().st_mode & 0o7777 == 0o600
    assert world.file(DAEMON_JSON).read_text() == "{}\n"


@pytest.mark.parametrize("before", [None, "{}", '{\n  "debug": true\n}\n'])
def test_taking_back_a_reload_revokes_the_entry_without_a_restart(world: World, before: str | None) -> None:
    if before is not None:
        world.file(DAEMON_JSON).write_text(before)
    assert begin(world, reload_plan(world, f'{{"insecure-registries":["{ENTRY}"]}}\n')).phase == "committed"
    assert world.live() == {ENTRY}
    assert roll_back(world).phase is TransactionPhase.ROLLED_BACK
    assert world.live() == set()
    assert "restart docker" not in world.get("calls")
    assert observed(world, DAEMON_JSON).content == (before.encode() if before is not None else None)


def test_a_daemon_that_does_not_start_gets_its_old_configuration_back(world: World) -> None:
    report = begin(world, restart_plan(world, OPTIONS.replace(ENTRY, f"{ENTRY} --dies")))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "docker-start-failed")
    assert "failed to start daemon: no good" in report.detail
    assert "hunter2" not in report.detail
    assert not world.file(DROP_IN).parent.exists()
    assert world.get("active") == "active\n"
    assert not world.file("/var/lib/harbor-agent/record/docker.json").exists()
    assert_no_leftovers(world)


def test_what_an_attempt_said_that_is_not_the_last_any_more_is_told(world: World) -> None:
    log = (
        "stream copy error: reading from a closed fifo\nStopped docker.service\nStarting docker.service\n"
        "failed to start daemon: no good\ndocker.service: Failed with result 'exit-code'.\n"
        "Failed to start docker.service\nStarting docker.service\n"
    )
    world.set("log", log)
    world.replace(
        "journalctl",
        'case "$*" in *_INVOCATION_ID=*) exit ;; _SYSTEMD_UNIT=docker.service*--since*) cat "$WORLD/log"; exit ;; esac',
    )
    report = begin(world, restart_plan(world, OPTIONS.replace(ENTRY, f"{ENTRY} --dies")))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "docker-start-failed")
    assert report.detail == "failed to start daemon: no good"


def test_a_change_without_effect_is_taken_back(world: World) -> None:
    report = begin(world, restart_plan(world, "[Service]\n"))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "registry-not-live")
    assert ENTRY in report.detail
    assert not world.file(DROP_IN).exists()


def environment_plan(world: World) -> Plan:
    """Return a plan that touches no unit file, and restarts."""
    text = f'DOCKER_OPTS="--insecure-registry={ENTRY}"\n'
    return activated(replace(restart_plan(world), changes=(change(world, "/etc/default/docker", text),)), expected=())


def test_unit_files_that_systemd_has_not_read_are_read_before_a_restart(world: World) -> None:
    """The plan counts with what the files say; a restart by itself would start what was loaded."""
    world.set("unread", "yes\n")
    assert begin(world, environment_plan(world)).phase is TransactionPhase.COMMITTED
    calls = [call for call in world.get("calls").splitlines() if call in (RELOAD, RESTART)]
    assert calls == [RELOAD, RESTART]


def test_systemd_reads_nothing_again_without_need(world: World) -> None:
    assert begin(world, environment_plan(world)).phase is TransactionPhase.COMMITTED
    assert RELOAD not in world.get("calls")


def test_files_that_systemd_does_not_read_again_go_back_before_anything_is_restarted(world: World) -> None:
    words = "Refusing to reload, not enough space available on /run/systemd."
    world.replace("systemctl", f'[ "$*" != daemon-reload ] || {{ echo "{words}" >&2; exit 1; }}')
    report = begin(world, restart_plan(world))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "daemon-reload-failed")
    assert words in report.detail
    assert not world.file(DROP_IN).exists()
    assert RESTART not in world.get("calls")


def test_an_old_configuration_that_does_not_start_either_is_not_called_rolled_back(world: World) -> None:
    folder = world.file(DROP_IN).parent
    folder.mkdir()
    (folder / "00-broken.conf").write_text("[Service]\nEnvironment=X= --dies\n")
    report = begin(world, restart_plan(world))
    assert report.phase is TransactionPhase.ROLLBACK_FAILED
    assert not world.file(DROP_IN).exists()


def test_a_container_that_is_gone_is_reported(world: World) -> None:
    world.set("containers", "c1 no no /one-off\n")
    plan = restart_plan(world)
    program = wire.build_begin_program(plan, transaction="run-1", record=b"{}", deadline=3)
    # The daemon loses it at the restart, as one without live-restore does.
    world.replace("docker", 'case "$*" in *restarting*) exit 0 ;; esac')
    report = wire.decode_report(world.run(program))
    assert report.phase is TransactionPhase.COMMITTED
    assert report.containers_lost == ("one-off",)


def test_a_later_edit_is_not_rolled_over(world: World) -> None:
    begin(world, restart_plan(world))
    world.file(DROP_IN).write_text(OPTIONS + "# mine\n")
    report = roll_back(world)
    assert (report.phase, report.code) == (TransactionPhase.COMMITTED, "plan-stale")
    assert world.file(DROP_IN).read_text().endswith("# mine\n")


def test_rolling_back_twice_is_rolling_back_once(world: World) -> None:
    begin(world, restart_plan(world))
    first = roll_back(world)
    assert first.phase is TransactionPhase.ROLLED_BACK
    assert roll_back(world) == first
    assert not world.file("/etc/systemd/system/docker.service.d").exists()


def test_an_unknown_transaction_is_said_to_be_unknown(world: World) -> None:
    assert status(world, "never").phase is TransactionPhase.NONE
    assert roll_back(world, "never").phase is TransactionPhase.NONE


def test_deleting_the_last_file_of_a_directory_that_was_made_takes_the_directory(world: World) -> None:
    begin(world, restart_plan(world))
    gone = Plan(
        node="node1",
        reason="a test",
        changes=(change(world, DROP_IN, None),),
        activation=replace(activation(Action.RESTART), unexpected=(ENTRY,)),
    )
    assert begin(world, gone, "run-2").phase is TransactionPhase.COMMITTED
    assert world.live() == set()
    # Tidying up follows the report.
    world.wait_until_unlocked()
    assert not world.file(DROP_IN).parent.exists()


@pytest.mark.parametrize("path", ["/harbor-agent-test.{}.conf", "/harbor-agent-test.{}.d/options.conf"])
def test_a_file_may_lie_directly_below_the_root(world: World, path: str) -> None:
    # What lies there is the machine's own, so the name is one of its kind, and goes again.
    path = path.format(uuid4().hex)
    after = FileState(path=path, kind=FileKind.REGULAR, content=b"A=1\n", mode=0o644)
    made = FileChange(before=FileState(path=path), after=after, reason="a test")
    plan = Plan(node="node1", reason="a test", changes=(made,), activation=activation())
    try:
        assert begin(world, plan).phase is TransactionPhase.COMMITTED
        assert Path(path).read_text() == "A=1\n"
        assert roll_back(world).phase is TransactionPhase.ROLLED_BACK
        assert not Path(path).exists()
        assert Path(path).parent == Path("/") or not Path(path).parent.exists()
    finally:
        Path(path).unlink(missing_ok=True)
        if Path(path).parent != Path("/") and Path(path).parent.exists():
            Path(path).parent.rmdir()


def test_a_container_that_ends_between_two_questions_is_no_failure(world: World) -> None:
    world.set("containers", "c1 always no /web\nc2 no no /ended\n")
    world.replace("docker", 'case "$*" in inspect*) head -n 1 "$WORLD/containers"; exit 1 ;; esac')
    assert begin(world, restart_plan(world)).phase is TransactionPhase.COMMITTED


@pytest.mark.parametrize("answer", ["192.168.0.99", "10.0.0.5"])
def test_a_name_must_resolve_before_the_runtime_is_touched(world: World, answer: str) -> None:
    world.file("/etc/hosts").write_text("127.0.0.1 localhost\n")
    world.replace("getent", f"echo '{answer} STREAM harbor.lan'; exit")
    hosts = change(world, "/etc/hosts", "127.0.0.1 localhost\n192.168.0.99 harbor.lan\n")
    plan = replace(restart_plan(world, OPTIONS, hosts), names=(DnsEntry(name="harbor.lan", address="192.168.0.99"),))
    report = begin(world, plan, deadline=2)
    if answer == "192.168.0.99":
        assert report.phase is TransactionPhase.COMMITTED, report
        return
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "name-not-in-effect")
    assert "to 192.168.0.99 with /etc/hosts, but to 10.0.0.5" in report.detail
    assert world.file("/etc/hosts").read_text() == "127.0.0.1 localhost\n"
    assert RESTART not in world.get("calls")
    assert_no_leftovers(world)


def test_the_cache_of_a_resolver_is_waited_out(world: World) -> None:
    world.replace("getent", "[ ! -e /run/asked ] || echo '192.168.0.99 STREAM harbor.lan'; : >/run/asked; exit")
    hosts = change(world, "/etc/hosts", "192.168.0.99 harbor.lan\n")
    name = DnsEntry(name="harbor.lan", address="192.168.0.99")
    plan = Plan(node="node1", reason="a test", changes=(hosts,), activation=activation(), names=(name,))
    report = begin(world, plan, deadline=20)
    assert report.phase is TransactionPhase.COMMITTED, report

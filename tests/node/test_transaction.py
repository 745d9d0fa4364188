"""The transaction: what a node holds afterwards, whatever happened on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from agent.model.plan import Action, FileChange, Plan
from agent.model.result import TransactionPhase
from agent.model.state import FileKind, FileState, Record
from agent.node import wire

if TYPE_CHECKING:
    from agent.model.result import TransactionReport
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

ENTRY = "10.99.0.1:5000"
DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
DAEMON_JSON = "/etc/docker/daemon.json"
OPTIONS = f'[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry={ENTRY}"\n'
RELOAD, RESTART = "systemctl daemon-reload", "systemctl restart docker.service"
BACKUP = "/var/lib/harbor-agent/transactions/run-1/before.1"
OUT_OF_REACH = "/var/lib/harbor-agent/out-of-reach"
STEPS = (
    *("preflight", "prepared", "armed", "swapping-1", "swapped-1", "swapping-2", "swapped-2"),
    *("activating", "health", "committed"),
)


def observed(world: World, path: str) -> FileState:
    real = world.file(path)
    if not real.exists():
        return FileState(path=path)
    facts = real.stat()
    mode = facts.st_mode & 0o7777
    return FileState(path=path, kind=FileKind.REGULAR, content=real.read_bytes(), mode=mode, uid=0, gid=0)


def change(world: World, path: str, text: str | None, mode: int = 0o644) -> FileChange:
    if text is None:
        after = FileState(path=path)
    else:
        after = FileState(path=path, kind=FileKind.REGULAR, content=text.encode(), mode=mode)
    return FileChange(before=observed(world, path), after=after, reason="a test")


def restart_plan(world: World, options: str = OPTIONS, *changes: FileChange, argv: tuple[str, ...] = ()) -> Plan:
    return Plan(
        node="node1",
        reason="a test",
        changes=(*changes, change(world, DROP_IN, options)),
        action=Action.RESTART,
        expected_entries=(ENTRY,),
        argv_after=("dockerd", *argv),
    )


def reload_plan(world: World, text: str) -> Plan:
    return Plan(
        node="node1",
        reason="a test",
        changes=(change(world, DAEMON_JSON, text),),
        action=Action.RELOAD,
        expected_entries=(ENTRY,),
        argv_after=("dockerd",),
    )


def begin(world: World, plan: Plan, transaction: str = "run-1", deadline: float = 3) -> TransactionReport:
    record = wire.encode_record(Record(run_id=transaction, entries=(ENTRY,)))
    return wire.decode_report(
        world.run(wire.begin_program(plan, transaction=transaction, record=record, deadline=deadline))
    )


def status(world: World, transaction: str = "run-1") -> TransactionReport:
    return wire.decode_report(world.run(wire.status_program(transaction)))


def roll_back(world: World, transaction: str = "run-1") -> TransactionReport:
    return wire.decode_report(world.run(wire.rollback_program(transaction)))


def assert_no_leftovers(world: World) -> None:
    world.wait_until_unlocked()
    assert not list(world.file("/etc").rglob(".*.harbor-agent.*"))
    assert not list(world.file("/etc").rglob("harbor-agent-recovery*"))
    assert not list(world.file("/run").glob("harbor-agent*"))


def test_a_change_is_committed_and_recorded(world: World) -> None:
    report = begin(world, restart_plan(world))
    assert report.phase is TransactionPhase.COMMITTED, report
    assert report.code == ""
    assert report.live is not None
    assert report.live.insecure_entries == (ENTRY,)
    assert world.file(DROP_IN).read_text() == OPTIONS
    assert world.file(DROP_IN).stat().st_mode & 0o7777 == 0o644
    assert world.live() == {ENTRY}
    state = wire.decode_probe(world.run(wire.probe_program([])))
    assert state.record == Record(run_id="run-1", entries=(ENTRY,))
    assert state.pending_transaction is None
    assert world.file("/var/lib/harbor-agent").stat().st_mode & 0o77 == 0
    assert_no_leftovers(world)


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


def test_a_change_without_effect_is_taken_back(world: World) -> None:
    report = begin(world, restart_plan(world, "[Service]\n"))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "registry-not-live")
    assert ENTRY in report.detail
    assert not world.file(DROP_IN).exists()


def environment_plan(world: World) -> Plan:
    """Return a plan that touches no unit file, and restarts."""
    text = f'DOCKER_OPTS="--insecure-registry={ENTRY}"\n'
    return replace(restart_plan(world), changes=(change(world, "/etc/default/docker", text),), expected_entries=())


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
    program = wire.begin_program(plan, transaction="run-1", record=b"{}", deadline=3)
    # The daemon loses it at the restart, as one without live-restore does.
    world.replace("docker", 'case "$*" in *restarting*) exit 0 ;; esac')
    report = wire.decode_report(world.run(program))
    assert report.phase is TransactionPhase.COMMITTED
    assert report.containers_lost == ("one-off",)


def refused(world: World, plan: Plan, code: str, *names: str) -> TransactionReport:
    before = {path: path.read_bytes() for path in world.file("/etc").rglob("*") if path.is_file()}
    report = begin(world, plan)
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, code), report
    assert all(name in report.detail for name in names), report.detail
    assert {path: path.read_bytes() for path in world.file("/etc").rglob("*") if path.is_file()} == before
    assert "restart docker" not in world.get("calls")
    assert_no_leftovers(world)
    return report


def test_a_file_that_moved_since_the_plan_is_refused(world: World) -> None:
    plan = reload_plan(world, "{}")
    world.file(DAEMON_JSON).write_text('{"debug": true}')
    refused(world, plan, "plan-stale", DAEMON_JSON)


def test_a_mode_that_moved_since_the_plan_is_refused(world: World) -> None:
    world.file(DAEMON_JSON).write_text("{}")
    plan = reload_plan(world, '{"debug":true}')
    world.file(DAEMON_JSON).chmod(0o640)
    refused(world, plan, "plan-stale", DAEMON_JSON)


def test_a_link_is_refused_and_its_target_untouched(world: World) -> None:
    plan = reload_plan(world, "{}")
    world.file("/etc/elsewhere.json").write_text("{}")
    world.file(DAEMON_JSON).symlink_to("/etc/elsewhere.json")
    refused(world, plan, "target-is-symlink", DAEMON_JSON)


def test_a_directory_that_is_a_link_is_refused(world: World) -> None:
    plan = reload_plan(world, "{}")
    world.file("/etc/docker").rename(world.file("/etc/docker-elsewhere"))
    world.file("/etc/docker").symlink_to("docker-elsewhere")
    refused(world, plan, "target-is-symlink", "/etc/docker")


def test_arguments_that_dockerd_rejects_are_refused_in_its_own_words(world: World) -> None:
    report = refused(world, restart_plan(world, argv=("--bogus",)), "dockerd-rejects-configuration")
    assert "unknown flag: --bogus" in report.detail
    assert "hunter2" not in report.detail


def test_a_daemon_that_is_down_is_refused(world: World) -> None:
    plan = restart_plan(world)
    world.set("active", "inactive\n")
    refused(world, plan, "docker-not-running")


def test_a_second_transaction_learns_who_holds_the_node(world: World) -> None:
    world.set("lock", "other-run\n")
    report = begin(world, restart_plan(world))
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, "transaction-running")
    assert "other-run" in report.detail
    assert not world.file(DROP_IN).exists()


def test_a_transaction_that_was_broken_off_must_be_taken_back_first(world: World) -> None:
    world.set("kill-at", "swapped-1")
    world.set("no-stop-post", "")
    begin(world, restart_plan(world))
    assert wire.decode_probe(world.run(wire.probe_program([]))).pending_transaction == "run-1"
    assert (status(world).phase, status(world).code) == (TransactionPhase.RUNNING, "transaction-interrupted")
    other = begin(world, restart_plan(world), "run-2")
    assert (other.phase, other.code) == (TransactionPhase.REFUSED, "transaction-pending")
    assert "run-1" in other.detail
    assert roll_back(world).phase is TransactionPhase.ROLLED_BACK
    assert not world.file(DROP_IN).exists()
    assert begin(world, restart_plan(world), "run-3").phase is TransactionPhase.COMMITTED


def test_a_node_without_systemd_is_refused_before_anything_is_written(world: World) -> None:
    world.file("/run/systemd/system").rmdir()
    report = begin(world, restart_plan(world))
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, "no-systemd")
    assert not world.file("/var/lib/harbor-agent").exists()


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


@pytest.mark.parametrize("journal", ["", "garbage\n", "\ncommitted 12 -"])
def test_a_journal_that_cannot_be_read_is_no_crash(world: World, journal: str) -> None:
    begin(world, restart_plan(world))
    world.wait_until_unlocked()
    world.file("/var/lib/harbor-agent/transactions/run-1/journal").write_text(journal)
    report = status(world)
    assert (report.phase, report.code) == (TransactionPhase.RUNNING, "journal-unreadable")


def test_deleting_the_last_file_of_a_directory_that_was_made_takes_the_directory(world: World) -> None:
    begin(world, restart_plan(world))
    gone = Plan(
        node="node1",
        reason="a test",
        changes=(change(world, DROP_IN, None),),
        action=Action.RESTART,
        unexpected_entries=(ENTRY,),
        argv_after=("dockerd",),
    )
    assert begin(world, gone, "run-2").phase is TransactionPhase.COMMITTED
    assert world.live() == set()
    # Tidying up follows the report.
    world.wait_until_unlocked()
    assert not world.file(DROP_IN).parent.exists()


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
    world.replace("systemctl", f'[ "$1" != reload ] || [ ! -e {BACKUP} ] || mv {BACKUP} {OUT_OF_REACH}')
    report = begin(world, plan)
    world.wait_until_unlocked()
    assert (report.phase, report.code) == (TransactionPhase.ROLLBACK_FAILED, "restore-failed")
    return world


def test_what_could_not_be_taken_back_is_pending_for_the_probe_and_the_next_change(stuck: World) -> None:
    assert wire.decode_probe(stuck.run(wire.probe_program([]))).pending_transaction == "run-1"
    other = begin(stuck, reload_plan(stuck, "{}"), "run-2")
    assert (other.phase, other.code) == (TransactionPhase.REFUSED, "transaction-pending")
    assert "run-1" in other.detail


def test_what_could_not_be_taken_back_is_taken_back_once_that_is_possible(stuck: World) -> None:
    assert roll_back(stuck).phase is TransactionPhase.ROLLBACK_FAILED
    stuck.wait_until_unlocked()
    assert wire.decode_probe(stuck.run(wire.probe_program([]))).pending_transaction == "run-1"
    stuck.file(OUT_OF_REACH).rename(stuck.file(BACKUP))
    (stuck.state / "reload-fails").unlink()
    stuck.replace("systemctl", "")
    assert roll_back(stuck).phase is TransactionPhase.ROLLED_BACK
    assert stuck.file(DAEMON_JSON).read_text() == "{}\n"
    assert_no_leftovers(stuck)
    assert wire.decode_probe(stuck.run(wire.probe_program([]))).pending_transaction is None
    plan = reload_plan(stuck, f'{{"insecure-registries":["{ENTRY}"]}}\n')
    assert begin(stuck, plan, "run-2").phase is TransactionPhase.COMMITTED


def test_where_only_the_daemon_did_not_come_back_nothing_is_pending(world: World) -> None:
    folder = world.file(DROP_IN).parent
    folder.mkdir()
    (folder / "00-broken.conf").write_text("[Service]\nEnvironment=X= --dies\n")
    assert begin(world, restart_plan(world)).phase is TransactionPhase.ROLLBACK_FAILED
    assert_no_leftovers(world)
    assert wire.decode_probe(world.run(wire.probe_program([]))).pending_transaction is None
    (folder / "00-broken.conf").unlink()
    world.execute(RESTART.split())
    assert begin(world, restart_plan(world), "run-2").phase is TransactionPhase.COMMITTED


@pytest.mark.parametrize("path", ["/harbor-agent-test.{}.conf", "/harbor-agent-test.{}.d/options.conf"])
def test_a_file_may_lie_directly_below_the_root(world: World, path: str) -> None:
    # What lies there is the machine's own, so the name is one of its kind, and goes again.
    path = path.format(uuid4().hex)
    after = FileState(path=path, kind=FileKind.REGULAR, content=b"A=1\n", mode=0o644)
    made = FileChange(before=FileState(path=path), after=after, reason="a test")
    plan = Plan(node="node1", reason="a test", changes=(made,), action=Action.NONE)
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


def test_containers_that_docker_lists_and_does_not_describe_are_refused(world: World) -> None:
    """A change that is not compared with what ran before it would call every loss a success."""
    world.set("containers", "c1 always no /web\n")
    world.replace("docker", 'case "$*" in inspect*) exit 1 ;; esac')
    refused(world, restart_plan(world), "docker-silent", "does not list its containers")


def test_a_container_that_ends_between_two_questions_is_no_failure(world: World) -> None:
    world.set("containers", "c1 always no /web\nc2 no no /ended\n")
    world.replace("docker", 'case "$*" in inspect*) head -n 1 "$WORLD/containers"; exit 1 ;; esac')
    assert begin(world, restart_plan(world)).phase is TransactionPhase.COMMITTED

"""Refusals before anything is changed: the node is as it was, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.result import TransactionPhase
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import (
    DAEMON_JSON,
    DROP_IN,
    assert_no_leftovers,
    begin,
    reload_plan,
    restart_plan,
    roll_back,
    status,
)

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.result import TransactionReport
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")


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
    world.let_time_fly()
    world.set("lock", "other-run\n")
    report = begin(world, restart_plan(world))
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, "transaction-running")
    assert "other-run" in report.detail
    assert not world.file(DROP_IN).exists()


def test_a_transaction_that_was_broken_off_must_be_taken_back_first(world: World) -> None:
    world.set("kill-at", "swapped-1")
    world.set("no-stop-post", "")
    begin(world, restart_plan(world))
    assert wire.decode_probe(world.run(wire.build_probe_program([]))).pending_transaction == "run-1"
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


def test_containers_that_docker_lists_and_does_not_describe_are_refused(world: World) -> None:
    """A change that is not compared with what ran before it would call every loss a success."""
    world.set("containers", "c1 always no /web\n")
    world.replace("docker", 'case "$*" in inspect*) exit 1 ;; esac')
    refused(world, restart_plan(world), "docker-silent", "does not list its containers")

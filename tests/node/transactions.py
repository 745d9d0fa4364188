"""A change of a node as the tests of transactions make it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, Activation, FileChange, Plan
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.node.wire import programs as wire

if TYPE_CHECKING:
    from harbor_agent.model.result import TransactionReport
    from tests.node.conftest import World

ENTRY = "10.99.0.1:5000"
DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
DAEMON_JSON = "/etc/docker/daemon.json"
OPTIONS = f'[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry={ENTRY}"\n'
RELOAD, RESTART = "systemctl daemon-reload", "systemctl restart docker.service"


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


def activation(action: Action = Action.NONE, *expected: str, arguments: tuple[str, ...] = ("dockerd",)) -> Activation:
    return Activation(
        runtime="docker",
        unit="docker.service",
        action=action,
        config_file=DAEMON_JSON,
        expected=expected,
        arguments=arguments,
    )


def activated(plan: Plan, **settings: object) -> Plan:
    """Return the plan with another activation."""
    return replace(plan, activation=replace(plan.activation, **settings))  # type: ignore[arg-type]


def restart_plan(world: World, options: str = OPTIONS, *changes: FileChange, argv: tuple[str, ...] = ()) -> Plan:
    return Plan(
        node="node1",
        reason="a test",
        changes=(*changes, change(world, DROP_IN, options)),
        activation=activation(Action.RESTART, ENTRY, arguments=("dockerd", *argv)),
    )


def reload_plan(world: World, text: str) -> Plan:
    return Plan(
        node="node1",
        reason="a test",
        changes=(change(world, DAEMON_JSON, text),),
        activation=activation(Action.RELOAD, ENTRY),
    )


def begin(world: World, plan: Plan, transaction: str = "run-1", deadline: float = 3) -> TransactionReport:
    record = wire.encode_record(Record(run_id=transaction, entries=(ENTRY,)))
    return wire.decode_report(
        world.run(wire.build_begin_program(plan, transaction=transaction, record=record, deadline=deadline))
    )


def status(world: World, transaction: str = "run-1") -> TransactionReport:
    return wire.decode_report(world.run(wire.build_status_program(transaction)))


def roll_back(world: World, transaction: str = "run-1") -> TransactionReport:
    return wire.decode_report(world.run(wire.build_rollback_program(transaction)))


def assert_no_leftovers(world: World) -> None:
    world.wait_until_unlocked()
    assert not list(world.file("/etc").rglob(".*.harbor-agent.*"))
    assert not list(world.file("/etc").rglob("harbor-agent-recovery*"))
    assert not list(world.file("/run").glob("harbor-agent*"))

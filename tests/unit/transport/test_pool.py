"""Many jobs in a few places: who waits for an answer keeps nobody else waiting."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING

import pytest

from harbor_agent.transport.pool import releasing_slot, run_each
from harbor_agent.transport.ssh.config.host import HostConfig
from harbor_agent.transport.ssh.config.target import UnreachableError, build_node_target
from harbor_agent.transport.ssh.sockets import open_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.transport.ssh.config.target import Target

DEAD = 12
SECONDS = 2.0


def test_each_job_has_one_result_and_no_more_run_than_there_are_places() -> None:
    running: list[int] = []
    most: list[int] = []

    def one(job: int, _: Event) -> int:
        running.append(job)
        most.append(len(running))
        if job % 5 == 0:
            running.remove(job)
            with releasing_slot():
                time.sleep(0.01)
            running.append(job)
        running.remove(job)
        return job

    assert sorted(run_each(one, range(200), forks=3)) == list(range(200))
    assert max(most) <= 3


def test_those_who_stand_aside_let_others_pass() -> None:
    others_done = Event()
    results: list[int] = []

    def one(job: int, _: Event) -> int:
        if job < 4:
            with releasing_slot():
                assert others_done.wait(30)
        return job

    for result in run_each(one, range(10), forks=1):
        results.append(result)
        if len(results) == 6:
            others_done.set()
    assert sorted(results[:6]) == [4, 5, 6, 7, 8, 9]
    assert sorted(results[6:]) == [0, 1, 2, 3]


def test_whoever_stands_aside_does_not_keep_a_run_from_being_stopped() -> None:
    go_on = Event()

    def one(job: int, stopping: Event) -> int:
        if job:
            with releasing_slot():
                assert stopping.wait(30)
                go_on.set()
        return job

    results = run_each(one, range(5), forks=1)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert go_on.wait(30)


def test_what_goes_wrong_while_standing_aside_is_raised() -> None:
    def one(_job: int, _stopping: Event) -> None:
        with releasing_slot():
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        list(run_each(one, range(3), forks=1))


def test_dead_hosts_cost_one_timeout_in_all() -> None:
    with silent(DEAD) as port, socket.create_server(("127.0.0.1", 0)) as alive:
        alive_port = alive.getsockname()[1]
        targets = [target(f"127.0.99.{n}", port) for n in range(1, DEAD + 1)]
        targets += [target("127.0.0.1", alive_port) for _ in range(4)]
        begin = time.monotonic()
        found = list(run_each(connect, targets, forks=2))
        seconds = time.monotonic() - begin
    assert sorted(found) == ["connected"] * 4 + ["ssh-timeout"] * DEAD
    assert SECONDS <= seconds < SECONDS * DEAD / 2, "one after the other, in two places, would take six times as long"


def connect(target: Target, _: Event) -> str:
    try:
        open_socket(target, SECONDS).close()
    except UnreachableError as error:
        return error.problem.code
    return "connected"


def target(host: str, port: int) -> Target:
    return build_node_target(host, HostConfig(host=host, port=port, user="root"), None)


@contextmanager
def silent(count: int) -> Iterator[int]:
    """Have a port that drops every connection on 127.0.99.1 and so on: its queue is full and nobody takes from it."""
    with ExitStack() as stack:
        with socket.create_server(("127.0.99.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        for number in range(1, count + 1):
            listener = stack.enter_context(socket.socket())
            listener.bind((f"127.0.99.{number}", port))
            listener.listen(0)
            for _ in range(2):
                filler = stack.enter_context(socket.socket())
                filler.settimeout(0)
                filler.connect_ex((f"127.0.99.{number}", port))
        yield port

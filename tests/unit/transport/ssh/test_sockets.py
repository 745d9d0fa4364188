"""Sockets: hosts that do not answer delay a run once, not once each."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from harbor_agent.transport.pool import run_each
from harbor_agent.transport.ssh.config.host import HostConfig
from harbor_agent.transport.ssh.config.target import UnreachableError, build_node_target
from harbor_agent.transport.ssh.sockets import open_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from harbor_agent.transport.ssh.config.target import Target

DEAD = 12
SECONDS = 2.0


def test_dead_hosts_cost_one_timeout_in_all() -> None:
    with silent(DEAD) as port, socket.create_server(("127.0.0.1", 0)) as alive:
        alive_port = alive.getsockname()[1]
        targets = [target(f"127.0.99.{n}", port) for n in range(1, DEAD + 1)]
        targets += [target("127.0.0.1", alive_port) for _ in range(4)]
        begin = time.monotonic()
        found = list(run_each(connect, targets, forks=2))
        seconds = time.monotonic() - begin
    assert sorted(found) == ["connected"] * 4 + ["ssh-timeout"] * DEAD
    assert SECONDS <= seconds < SECONDS * DEAD / 2, "one after the other, in two slots, would take six times as long"


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
    """Yield a port of 127.0.99.1 and so on that drops every connection: its queue is full and never emptied."""
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

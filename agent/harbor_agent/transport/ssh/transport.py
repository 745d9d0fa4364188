"""Programs run on nodes over SSH (paramiko): one verified connection a job, with deadlines of its own."""

from __future__ import annotations

import logging
import select
import weakref
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.deadline import Deadline, OutOfTimeError, Watchdog
from harbor_agent.transport.local import run_here
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.protocol import Completed, Lost
from harbor_agent.transport.shell.become import TERMINAL_REQUIRED
from harbor_agent.transport.shell.exchange import Exchange, on_node, out_of_time
from harbor_agent.transport.shell.on_terminal import TerminalExchange
from harbor_agent.transport.ssh.config.jumps import JumpResolver
from harbor_agent.transport.ssh.config.target import UnreachableError
from harbor_agent.transport.ssh.connector import Connector
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.protocol import Job
    from harbor_agent.transport.ssh.config.jumps import JumpPath
    from harbor_agent.transport.ssh.config.target import Target

# Everything worth telling is in a Problem; paramiko would print the tracebacks of its threads.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

_CHUNK = 65536
_MILLISECONDS_BETWEEN_WINDOW_CHECKS = 20


class SshTransport:
    """Runs programs over SSH; a node with `connection` "local" is this machine.

    Nodes are reached as OpenSSH would reach them: through its configuration and the node's ssh arguments, with
    bastions that are logged in to once for all nodes and all runs, until `close` or the end of the process. Host keys
    are checked against `known_hosts` (OpenSSH's files by default; those that a configuration or a node names take
    their place) and never added. `connect_timeout` is in seconds, for each of connecting, agreeing on keys and each
    login attempt, within the job's timeout; ConnectTimeout wins. Time in which somebody is asked for a passphrase
    does not count.
    """

    def __init__(self, *, forks: int, connect_timeout: float = 10, known_hosts: Sequence[Path] | None = None) -> None:
        """Run at most `forks` jobs at once."""
        self._forks = forks
        self._routes = JumpResolver()
        self._on_terminal: set[str] = set()
        self._connector = Connector(connect_timeout=connect_timeout, known_hosts=known_hosts)
        self.close = weakref.finalize(self, self._connector.close)

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result a job, as each ends. Raises nothing for a node's trouble."""
        with closing(Watchdog()) as watch:
            yield from run_each(partial(self._run_one, watch), jobs, forks=self._forks)

    def _run_one(self, watch: Watchdog, job: Job, stopping: Event) -> Completed | Lost:
        if job.node.connection == "local":
            return run_here(job, stopping)
        deadline = Deadline(job.timeout, stopping, uncounted=lambda: self._connector.terminal.seconds)
        try:
            route = self._routes.to(job.node)
        except UnreachableError as error:
            return Lost(job=job, problem=error.problem, started=False, seconds=deadline.seconds)
        exchange = self._exchange(job, route)
        try:
            with self._connector.logged_in(route, watch, deadline) as transport:
                rc = _execute(transport, exchange, deadline)
                if not exchange.begun and exchange.failure(rc) == TERMINAL_REQUIRED:
                    self._on_terminal.add(job.node.name)
                    exchange = self._exchange(job, route)
                    rc = _execute(transport, exchange, deadline)
        except UnreachableError as error:
            problem = error.problem
        except OutOfTimeError:
            problem = out_of_time(job.node, exchange, deadline)
        except (paramiko.SSHException, EOFError, OSError) as error:
            problem = _connection_lost(job.node, route.target, exchange, deadline, str(error))
        else:
            if exchange.begun and rc >= 0:
                stdout, stderr = exchange.streams()
                return Completed(job=job, rc=rc, stdout=stdout, stderr=stderr, seconds=deadline.seconds)
            if exchange.problem or rc >= 0:
                problem = on_node(job.node, exchange.failure(rc))
                return Lost(job=job, problem=problem, started=False, seconds=deadline.seconds)
            problem = _connection_lost(job.node, route.target, exchange, deadline, "")
        return Lost(job=job, problem=problem, started=exchange.started, seconds=deadline.seconds)

    def _exchange(self, job: Job, route: JumpPath) -> Exchange:
        on_terminal = job.program.privileged and job.node.name in self._on_terminal
        kind = TerminalExchange if on_terminal else Exchange
        return kind(job.program, job.node.become, user=route.target.settings.user)


def _execute(transport: paramiko.Transport, exchange: Exchange, deadline: Deadline) -> int:
    channel = transport.open_session(timeout=deadline.remaining())
    with closing(channel):
        if isinstance(exchange, TerminalExchange) and not _get_terminal(channel):
            exchange.problem = TERMINAL_REQUIRED
            return -1
        channel.exec_command(exchange.command)
        _converse(channel, exchange, deadline)
        if exchange.problem:
            return -1
        while not channel.status_event.wait(deadline.poll_interval()):
            pass
        return exchange.status(channel.recv_exit_status())


def _get_terminal(channel: paramiko.Channel) -> bool:
    try:
        channel.get_pty()
    except paramiko.SSHException:
        return False
    return True


def _converse(channel: paramiko.Channel, exchange: Exchange, deadline: Deadline) -> None:
    """Send and receive until both streams have ended, or there is no use in going on."""
    readable = select.poll()
    readable.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        while channel.recv_ready():
            exchange.feed_stdout(channel.recv(_CHUNK))
        while channel.recv_stderr_ready():
            exchange.hear_stderr(channel.recv_stderr(_CHUNK))
        if ended or exchange.problem:
            return
        _send(channel, exchange)
        # The descriptor shows what can be read; that the window has opened for writing again, it does not show.
        poll_interval = deadline.poll_interval() * 1000
        readable.poll(min(poll_interval, _MILLISECONDS_BETWEEN_WINDOW_CHECKS) if exchange.pending else poll_interval)


def _send(channel: paramiko.Channel, exchange: Exchange) -> None:
    """Send as much as the window takes without blocking, so that nobody waits for a reader that waits for us."""
    try:
        while exchange.pending and channel.send_ready():
            count = channel.send(bytes(exchange.pending[:_CHUNK]))
            if not count:
                return
            exchange.sent(count)
        if exchange.input_done and not channel.eof_sent:
            channel.shutdown_write()
    except OSError:
        # The program ended without reading to the end; what it said, and its exit status, still count.
        return


def _connection_lost(node: Node, target: Target, exchange: Exchange, deadline: Deadline, reason: str) -> Problem:
    try:
        deadline.remaining()
    except OutOfTimeError:
        return out_of_time(node, exchange, deadline)
    said = f" ({' '.join(reason.split())})" if reason else ""
    if exchange.started:
        message = f"{target.label}: the connection was lost while the program ran{said}"
        return Problem(code="connection-lost", message=message, hint="nobody knows yet what the program did")
    return Problem(code="ssh-closed", message=f"{target.label}: it ended the connection before the program ran{said}")

"""Programs run on nodes over SSH: one verified connection per job, with its own deadline."""

from __future__ import annotations

import logging
import select
import weakref
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.result import Unanswered
from harbor_agent.transport.calls import Called, call_from_here
from harbor_agent.transport.deadline import Deadline, DeadlineExceededError, Watchdog
from harbor_agent.transport.local import run_locally
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.protocol import Completed, Lost, begin_job, describe_unknown_answer, log_result
from harbor_agent.transport.shell.become import TERMINAL_REQUIRED
from harbor_agent.transport.shell.exchange import OUTCOME_UNKNOWN_HINT, Exchange, add_node_name, describe_timeout
from harbor_agent.transport.shell.on_terminal import TerminalExchange
from harbor_agent.transport.ssh.config.jumps import JumpResolver
from harbor_agent.transport.ssh.config.target import UnreachableError
from harbor_agent.transport.ssh.connector import Connector
from harbor_agent.transport.ssh.forward import call_through
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.calls import CallJob
    from harbor_agent.transport.protocol import Job
    from harbor_agent.transport.ssh.config.jumps import JumpPath
    from harbor_agent.transport.ssh.config.target import Target

# Errors are returned as problems; paramiko would also print the tracebacks of its threads.
if not logging.getLogger("harbor_agent").isEnabledFor(logging.DEBUG):
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

_CHUNK = 65536
_MILLISECONDS_BETWEEN_WINDOW_CHECKS = 20


class SshTransport:
    """Runs programs over SSH; a node with `connection` "local" is this machine.

    Connections are those that OpenSSH would open: with its configuration and the node's ssh arguments, through bastions
    that stay logged in for all nodes and all runs, until `close` or the end of the process. Host keys are checked
    against `known_hosts` (by default OpenSSH's files; files that a configuration or a node names replace them) and
    never added. `connect_timeout` is in seconds, for each of connecting, agreeing on keys and each login attempt,
    within the job's timeout; ConnectTimeout overrides it. Time in which the user is prompted does not count.
    """

    def __init__(self, *, forks: int, connect_timeout: float = 10, known_hosts: Sequence[Path] | None = None) -> None:
        """Run at most `forks` jobs at once."""
        self._forks = forks
        self._resolver = JumpResolver()
        self._nodes_with_terminal: set[str] = set()
        self._connector = Connector(connect_timeout=connect_timeout, known_hosts=known_hosts)
        self.close = weakref.finalize(self, self._connector.close)

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result per job, as each ends. A problem of a node is a result, never an exception."""
        with closing(Watchdog()) as watchdog:
            yield from run_each(partial(self._run_one, watchdog), jobs, forks=self._forks)

    def _run_one(self, watchdog: Watchdog, job: Job, stopping: Event) -> Completed | Lost:
        if job.node.connection == "local":
            return run_locally(job, stopping)
        begin_job(job)
        return log_result(self._run_program(watchdog, job, stopping))

    def _run_program(self, watchdog: Watchdog, job: Job, stopping: Event) -> Completed | Lost:
        deadline = Deadline(job.timeout, stopping, paused_seconds=lambda: self._connector.terminal.seconds)
        try:
            jump_path = self._resolver.resolve(job.node)
        except UnreachableError as error:
            return Lost(job=job, problem=error.problem, started=False, seconds=deadline.elapsed)
        exchange = self._create_exchange(job, jump_path)
        try:
            with self._connector.connect(jump_path, watchdog, deadline) as transport:
                rc = _execute(transport, exchange, deadline)
                if not exchange.marker_seen and exchange.describe_failure(rc) == TERMINAL_REQUIRED:
                    self._nodes_with_terminal.add(job.node.name)
                    exchange = self._create_exchange(job, jump_path)
                    rc = _execute(transport, exchange, deadline)
        except UnreachableError as error:
            problem = error.problem
        except DeadlineExceededError:
            problem = describe_timeout(job.node, exchange, deadline)
        except Exception as error:  # noqa: BLE001 - paramiko fails in many ways on what a server sends
            problem = _describe_error(job.node, jump_path.target, exchange, deadline, error)
        else:
            if exchange.marker_seen and rc >= 0 and not exchange.problem:
                stdout, stderr = exchange.extract_output()
                return Completed(job=job, rc=rc, stdout=stdout, stderr=stderr, seconds=deadline.elapsed)
            if exchange.problem or rc >= 0:
                problem = add_node_name(job.node, exchange.describe_failure(rc))
                return Lost(job=job, problem=problem, started=exchange.marker_seen, seconds=deadline.elapsed)
            problem = _describe_lost_connection(job.node, jump_path.target, exchange, deadline, "")
        return Lost(job=job, problem=problem, started=exchange.started, seconds=deadline.elapsed)

    def call(self, jobs: Iterable[CallJob]) -> Iterator[Called]:
        """Yield exactly one result per job, as each ends: one connection carries all calls of a node."""
        with closing(Watchdog()) as watchdog:
            yield from run_each(partial(self._call_one, watchdog), jobs, forks=self._forks)

    def _call_one(self, watchdog: Watchdog, job: CallJob, stopping: Event) -> Called:
        if job.node.connection == "local":
            return call_from_here(job)
        deadline = Deadline(job.timeout, stopping, paused_seconds=lambda: self._connector.terminal.seconds)
        answers: list[bytes | Unanswered] = []
        lost = Unanswered(reason="")
        try:
            jump_path = self._resolver.resolve(job.node)
            with self._connector.connect(jump_path, watchdog, deadline) as transport:
                for call in job.calls:
                    answers.append(call_through(transport, jump_path.target, call, deadline))  # noqa: PERF401 - those before an error count
        except UnreachableError as error:
            lost = Unanswered(reason=error.problem.message, hint=error.problem.hint)
        except DeadlineExceededError:
            lost = Unanswered(reason=f"{job.node.name}: not all calls ended within {job.timeout:g} s")
        except Exception as error:  # noqa: BLE001 - paramiko fails in many ways on what a server sends
            detail = " ".join(str(error).split()) or type(error).__name__
            lost = Unanswered(reason=f"{job.node.name}: the connection was lost ({detail})")
        return Called(job=job, answers=(*answers, *(lost for _ in job.calls[len(answers) :])))

    def _create_exchange(self, job: Job, jump_path: JumpPath) -> Exchange:
        needs_terminal = job.program.privileged and job.node.name in self._nodes_with_terminal
        exchange_type = TerminalExchange if needs_terminal else Exchange
        return exchange_type(job.program, job.node.become, user=jump_path.target.config.user, on_line=job.on_line)


def _execute(transport: paramiko.Transport, exchange: Exchange, deadline: Deadline) -> int:
    channel = transport.open_session(timeout=deadline.remaining())
    with closing(channel):
        if isinstance(exchange, TerminalExchange) and not _request_terminal(channel):
            exchange.problem = TERMINAL_REQUIRED
            return -1
        channel.exec_command(exchange.command)
        _transfer(channel, exchange, deadline)
        if exchange.problem:
            return -1
        while not channel.status_event.wait(deadline.poll_interval()):
            pass
        return exchange.extract_status(channel.recv_exit_status())


def _request_terminal(channel: paramiko.Channel) -> bool:
    try:
        channel.get_pty()
    except paramiko.SSHException:
        return False
    return True


def _transfer(channel: paramiko.Channel, exchange: Exchange, deadline: Deadline) -> None:
    """Send and receive until both output streams end or the exchange has a problem. Raises DeadlineExceededError."""
    readable = select.poll()
    readable.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        while channel.recv_ready():
            exchange.feed_stdout(channel.recv(_CHUNK))
        while channel.recv_stderr_ready():
            exchange.feed_stderr(channel.recv_stderr(_CHUNK))
        if ended or exchange.problem:
            return
        _send(channel, exchange)
        # The descriptor becomes readable for data, but not when the window opens for writing again.
        poll_interval = deadline.poll_interval() * 1000
        readable.poll(min(poll_interval, _MILLISECONDS_BETWEEN_WINDOW_CHECKS) if exchange.pending else poll_interval)


def _send(channel: paramiko.Channel, exchange: Exchange) -> None:
    """Send as much as the window takes without blocking: the program may wait for its output to be read."""
    try:
        while exchange.pending and channel.send_ready():
            count = channel.send(bytes(exchange.pending[:_CHUNK]))
            if not count:
                return
            exchange.mark_sent(count)
        if exchange.is_input_complete and not channel.eof_sent:
            channel.shutdown_write()
    except OSError:
        # The program ended without reading all input; its output and exit status are still valid.
        return


def _describe_error(node: Node, target: Target, exchange: Exchange, deadline: Deadline, error: Exception) -> Problem:
    if isinstance(error, paramiko.SSHException | EOFError | OSError):
        return _describe_lost_connection(node, target, exchange, deadline, str(error))
    return add_node_name(node, describe_unknown_answer(error))


def _describe_lost_connection(
    node: Node, target: Target, exchange: Exchange, deadline: Deadline, reason: str
) -> Problem:
    try:
        deadline.remaining()
    except DeadlineExceededError:
        return describe_timeout(node, exchange, deadline)
    detail = f" ({' '.join(reason.split())})" if reason else ""
    if exchange.started:
        message = f"{target.label}: connection lost while the program was running{detail}"
        return Problem(code="connection-lost", message=message, hint=OUTCOME_UNKNOWN_HINT)
    message = f"{target.label}: the server closed the connection before the program ran{detail}"
    return Problem(code="ssh-closed", message=message)

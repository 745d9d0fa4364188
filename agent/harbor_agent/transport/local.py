"""Programs run on this machine, for a node that is the controller itself."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from harbor_agent.local.user import get_user_name
from harbor_agent.transport.calls import call_from_here
from harbor_agent.transport.deadline import Deadline, DeadlineExceededError
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.protocol import Completed, Lost, begin_job, log_result
from harbor_agent.transport.shell.exchange import Exchange, add_node_name, describe_timeout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event

    from harbor_agent.transport.calls import Called, CallJob
    from harbor_agent.transport.protocol import Job

_CHUNK = 65536
_SECONDS_TO_TERMINATE = 1.0


class LocalTransport:
    """Runs programs on this machine, with the promises of every transport.

    At the timeout the program's process group gets SIGTERM, and SIGKILL a second later. If this process is not root,
    it becomes root as on a remote node.
    """

    def __init__(self, *, forks: int = 1) -> None:
        """Run at most `forks` programs at once."""
        self._forks = forks

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result per job, as each ends."""
        return run_each(run_locally, jobs, forks=self._forks)

    def call(self, jobs: Iterable[CallJob]) -> Iterator[Called]:
        """Yield exactly one result per job, as each ends."""
        return map(call_from_here, jobs)


def run_locally(job: Job, stopping: Event) -> Completed | Lost:
    """Run one job on this machine."""
    begin_job(job)
    return log_result(_run_program(job, stopping))


def _run_program(job: Job, stopping: Event) -> Completed | Lost:
    deadline = Deadline(job.timeout, stopping)
    user = "root" if os.geteuid() == 0 else get_user_name()
    exchange = Exchange(job.program, job.node.become, user=user, on_line=job.on_line)
    process = subprocess.Popen(  # noqa: S603 - the command is ours
        ["/bin/sh", "-c", exchange.command],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    ended = False
    try:
        _Pump(process, exchange).run(deadline)
        rc = 1 if exchange.problem else process.wait(deadline.remaining())
        ended = not exchange.problem
    except (DeadlineExceededError, subprocess.TimeoutExpired):
        problem = describe_timeout(job.node, exchange, deadline)
        return Lost(job=job, problem=problem, started=exchange.started, seconds=deadline.elapsed)
    finally:
        _clean_up(process, ended=ended)
    if exchange.problem or not exchange.marker_seen:
        problem = add_node_name(job.node, exchange.describe_failure(rc))
        return Lost(job=job, problem=problem, started=exchange.marker_seen, seconds=deadline.elapsed)
    stdout, stderr = exchange.extract_output()
    # As a shell reports it: 128 plus the number of the signal.
    rc = rc if rc >= 0 else 128 - rc
    return Completed(job=job, rc=rc, stdout=stdout, stderr=stderr, seconds=deadline.elapsed)


class _Pump:
    """Moves bytes between an exchange and a process, in both directions at once."""

    def __init__(self, process: subprocess.Popen[bytes], exchange: Exchange) -> None:
        self._exchange = exchange
        self._stdin, self._stdout, self._stderr = (
            cast("IO[bytes]", stream) for stream in (process.stdin, process.stdout, process.stderr)
        )
        self._is_writing = False

    def run(self, deadline: Deadline) -> None:
        """Move bytes until both output streams end or the exchange has a problem. Raises DeadlineExceededError."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ, self._exchange.feed_stdout)
            selector.register(self._stderr, selectors.EVENT_READ, self._exchange.feed_stderr)
            os.set_blocking(self._stdin.fileno(), False)
            open_streams = 2
            while open_streams and not self._exchange.problem:
                self._update_input(selector)
                for key, _ in selector.select(deadline.poll_interval()):
                    if key.fileobj is self._stdin:
                        self._write(selector)
                    elif data := os.read(key.fd, _CHUNK):
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
                        open_streams -= 1

    def _update_input(self, selector: selectors.BaseSelector) -> None:
        """Wait for standard input only if there is something to write, and close it after the last byte."""
        if self._stdin.closed:
            return
        has_input = bool(self._exchange.pending)
        if has_input and not self._is_writing:
            selector.register(self._stdin, selectors.EVENT_WRITE)
        elif self._is_writing and not has_input:
            selector.unregister(self._stdin)
        self._is_writing = has_input
        if self._exchange.is_input_complete:
            self._stdin.close()

    def _write(self, selector: selectors.BaseSelector) -> None:
        try:
            self._exchange.mark_sent(os.write(self._stdin.fileno(), self._exchange.pending[:_CHUNK]))
        except BrokenPipeError:
            selector.unregister(self._stdin)
            self._stdin.close()


def _clean_up(process: subprocess.Popen[bytes], *, ended: bool) -> None:
    """Close the pipes, and end the process group unless the program has ended on its own."""
    if not ended:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_TERMINATE)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()

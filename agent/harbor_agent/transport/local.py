"""Programs run on this very machine, for a node that is the controller itself."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from harbor_agent.local.user import user_name
from harbor_agent.transport.deadline import Deadline, OutOfTimeError
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.protocol import Completed, Lost
from harbor_agent.transport.shell.exchange import Exchange, on_node, out_of_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event

    from harbor_agent.transport.protocol import Job

_CHUNK = 65536
_SECONDS_TO_TERMINATE = 1.0


class LocalTransport:
    """Runs programs here, with the promises of every transport.

    At the timeout the program's process group is ended: SIGTERM, and SIGKILL a second later. sudo is used as on a
    remote node where this process is not root.
    """

    def __init__(self, *, forks: int = 1) -> None:
        """Run at most `forks` programs at once."""
        self._forks = forks

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result a job, as each ends."""
        return run_each(run_here, jobs, forks=self._forks)


def run_here(job: Job, stopping: Event) -> Completed | Lost:
    """Run one job on this machine."""
    deadline = Deadline(job.timeout, stopping)
    user = "root" if os.geteuid() == 0 else user_name()
    exchange = Exchange(job.program, job.node.become, user=user)
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
    except (OutOfTimeError, subprocess.TimeoutExpired):
        problem = out_of_time(job.node, exchange, deadline)
        return Lost(job=job, problem=problem, started=exchange.started, seconds=deadline.seconds)
    finally:
        _wind_up(process, ended=ended)
    if not exchange.begun:
        return Lost(job=job, problem=on_node(job.node, exchange.failure(rc)), started=False, seconds=deadline.seconds)
    stdout, stderr = exchange.streams()
    # As a shell counts: 128 and the number of the signal.
    rc = rc if rc >= 0 else 128 - rc
    return Completed(job=job, rc=rc, stdout=stdout, stderr=stderr, seconds=deadline.seconds)


class _Pump:
    """Moves bytes between an exchange and a process, in both directions at once."""

    def __init__(self, process: subprocess.Popen[bytes], exchange: Exchange) -> None:
        self._exchange = exchange
        self._stdin, self._stdout, self._stderr = (
            cast("IO[bytes]", stream) for stream in (process.stdin, process.stdout, process.stderr)
        )
        self._writing = False

    def run(self, deadline: Deadline) -> None:
        """Go on until both streams have ended, or there is no use in it. Raises OutOfTimeError."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ, self._exchange.feed_stdout)
            selector.register(self._stderr, selectors.EVENT_READ, self._exchange.hear_stderr)
            os.set_blocking(self._stdin.fileno(), False)
            receiving = 2
            while receiving and not self._exchange.problem:
                self._arrange_input(selector)
                for key, _ in selector.select(deadline.poll_interval()):
                    if key.fileobj is self._stdin:
                        self._send(selector)
                    elif data := os.read(key.fd, _CHUNK):
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
                        receiving -= 1

    def _arrange_input(self, selector: selectors.BaseSelector) -> None:
        if self._stdin.closed:
            return
        wanted = bool(self._exchange.pending)
        if wanted and not self._writing:
            selector.register(self._stdin, selectors.EVENT_WRITE)
        elif self._writing and not wanted:
            selector.unregister(self._stdin)
        self._writing = wanted
        if self._exchange.input_done:
            self._stdin.close()

    def _send(self, selector: selectors.BaseSelector) -> None:
        try:
            self._exchange.sent(os.write(self._stdin.fileno(), self._exchange.pending[:_CHUNK]))
        except BrokenPipeError:
            selector.unregister(self._stdin)
            self._stdin.close()


def _wind_up(process: subprocess.Popen[bytes], *, ended: bool) -> None:
    """Leave no open pipe behind, and no process of a program that has not ended by itself."""
    if not ended:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_TERMINATE)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()

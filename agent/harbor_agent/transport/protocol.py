"""The interface of all transports: jobs in, results out; a problem of one node never affects another."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from traceback import extract_tb
from typing import TYPE_CHECKING, Protocol, TypeVar

from harbor_agent.errors import AgentError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.program import Program

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# The variables at the beginning of a program, whose values may be secret.
_VARIABLE = re.compile(rb"^(PAYLOAD_\w+)=(\S*)", re.MULTILINE)


def _ignore() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program for one node. `timeout` is in seconds and includes connecting.

    `on_start` is called when the job's turn has come, `on_line` with each line of the program's standard output as it
    arrives, if the transport gets it before the end. Both are called by any thread and do not raise.
    """

    node: Node
    program: Program
    timeout: float = 60.0
    on_start: Callable[[], None] = field(default=_ignore, repr=False, compare=False)
    on_line: Callable[[bytes], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The result of a program that ran to its end: its exit status `rc` and all of its output."""

    job: Job
    rc: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The result of a program that did not run, or whose end is not known.

    `started` is true once any byte of the program was sent: then its outcome is unknown.
    """

    job: Job
    problem: Problem
    started: bool
    seconds: float


class Transport(Protocol):
    """A way to run programs on many nodes at once."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result per job, as each ends. A problem of a node is a result, never an exception."""
        ...


def begin_job(job: Job) -> None:
    """Report and log that the turn of a job has come. The values that it sends are not logged."""
    job.on_start()
    if _LOG.isEnabledFor(logging.DEBUG):
        program = job.program
        sent = [f"{name.decode()} ({len(value)} bytes)" for name, value in _VARIABLE.findall(program.stdin)]
        _LOG.debug(
            "%s: sent a program of %d bytes, arguments: %s, variables: %s",
            *(job.node.name, len(program.stdin), " ".join(program.arguments) or "none", ", ".join(sent) or "none"),
        )


def log_result(result: Completed | Lost) -> Completed | Lost:
    """Log a result, without the passwords of its node, and return it."""
    if not _LOG.isEnabledFor(logging.DEBUG):
        return result
    node = result.job.node
    if isinstance(result, Lost):
        _LOG.debug("%s: lost after %.1f s: %s", node.name, result.seconds, result.problem.message)
        return result
    streams = [stream.decode(errors="backslashreplace") for stream in (result.stdout, result.stderr)]
    for secret in (node.password, node.become.password if node.become else None):
        if secret and secret.reveal():
            streams = [stream.replace(secret.reveal(), "***") for stream in streams]
    _LOG.debug(
        "%s: received after %.1f s, exit status %d\nstandard output:\n%s\nstandard error:\n%s",
        *(node.name, result.seconds, result.rc, *(stream.rstrip("\n") for stream in streams)),
    )
    return result


def decode_answer(result: Completed | Lost, decode: Callable[[bytes], _T]) -> _T | Problem:
    """Decode a node's answer; return the problem of a lost job, or of an answer that `decode` rejects.

    An answer that cannot be decoded keeps its problem, with the exit status and the last line of standard error,
    unless the program ended well and printed none.
    """
    if isinstance(result, Lost):
        return result.problem
    try:
        return decode(result.stdout)
    except AgentError as error:
        last_line = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        if result.rc == 0 and not last_line:
            return error.problem
        detail = "".join(f": {line}" for line in last_line)
        message = f"{error.problem.message} (exit status {result.rc}{detail})"
        return replace(error.problem, message=message)
    except Exception as error:  # noqa: BLE001 - one node's answer must never end the run of the others
        return describe_unknown_answer(error)


def describe_unknown_answer(error: BaseException) -> Problem:
    """Return the problem of a node whose answer leads to an error that no decoder expects.

    It names the kind of the error and its place, never its text: that may quote a login.
    """
    place = next((f" in {frame.name}" for frame in reversed(extract_tb(error.__traceback__))), "")
    return Problem(
        code="node-answer-unknown",
        message=f"the node's answer cannot be processed ({type(error).__name__}{place})",
        hint="run it again; if it stays, report it with the output of: harbor-agent plan --limit NODE -o json",
    )

"""What every transport promises: jobs in, completions out, one node's trouble never another's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from harbor_agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.program import Program

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program for one node. `timeout` is seconds for the whole of it, connecting included."""

    node: Node
    program: Program
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The program ran to its end. `rc` is its exit status; the streams are kept apart and whole."""

    job: Job
    rc: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The program did not run, or its end was not seen.

    `started` is true from the moment any byte of the program was sent: then nobody knows what it did.
    """

    job: Job
    problem: Problem
    started: bool
    seconds: float


class Transport(Protocol):
    """Runs jobs on many nodes at once."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result a job, as each ends. Raises nothing for a node's trouble."""
        ...


def decode_answer(result: Completed | Lost, decode: Callable[[bytes], _T]) -> _T | Problem:
    """Decode a node's answer; return the problem if there is none, or if `decode` raises AgentError.

    An answer that cannot be decoded keeps its problem, with the exit status and the last line of standard error.
    """
    if isinstance(result, Lost):
        return result.problem
    try:
        return decode(result.stdout)
    except AgentError as error:
        last_line = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        detail = "".join(f": {line}" for line in last_line)
        message = f"{error.problem.message} (exit status {result.rc}{detail})"
        return replace(error.problem, message=message)

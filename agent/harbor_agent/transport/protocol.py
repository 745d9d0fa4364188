"""What every transport promises: jobs in, completions out, one node's trouble never another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.program import Program


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

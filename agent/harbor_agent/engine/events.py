"""Events of a run, as values; the command line turns them into progress. Any thread may report one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harbor_agent.errors import Problem
    from harbor_agent.model.result import NodeResult, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Which wave of how many, counted from 1."""

    number: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The start of a phase: `name` for people, over `total` nodes; `wave` if it changes nodes."""

    name: str
    total: int
    wave: Wave | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStep:
    """The start of a step of one node; its step before has ended."""

    node: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProbed:
    """The end of the probe of one node, with the problem if it failed."""

    node: str
    problem: Problem | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished:
    """The final result of one node."""

    result: NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line about the run as a whole."""

    text: str


Event = Phase | NodeStep | NodeProbed | NodeFinished | Message
if TYPE_CHECKING:
    Listener = Callable[[Event], None]


def announce_all(listener: Listener, nodes: Iterable[str], step: Step) -> None:
    """Report the start of a step of several nodes."""
    for node in nodes:
        listener(NodeStep(node=node, step=step))


def announce(listener: Listener, node: str, step: Step) -> Callable[[], None]:
    """Return a function that reports the start of a step, for a job that waits for its turn."""
    return lambda: listener(NodeStep(node=node, step=step))

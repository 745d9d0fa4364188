"""Events of a run, as values; the command line turns them into progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.errors import Problem
    from harbor_agent.model.result import NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The start of a phase: `name` for people, over `total` nodes."""

    name: str
    total: int


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


Event = Phase | NodeProbed | NodeFinished | Message
if TYPE_CHECKING:
    Listener = Callable[[Event], None]

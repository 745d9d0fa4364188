"""Events of a run, as values; the command line turns them into progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.result import NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The start of a phase: `name` for people, over `total` nodes."""

    name: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDone:
    """The end of a phase on one node: `state` is a word to count by or a problem's code, `text` its message."""

    node: str
    state: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished:
    """The final result of one node."""

    result: NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line about the run as a whole."""

    text: str


Event = Phase | NodeDone | NodeFinished | Message
if TYPE_CHECKING:
    Listener = Callable[[Event], None]

"""What happens during a run, as values: the command line turns them into progress, later a log keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.result import NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase starts: `name` in plain words, over `total` nodes."""

    name: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDone:
    """A node is done with the current phase; `state` is a word for how it went, or a problem's code, `text` says it."""

    node: str
    state: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished:
    """A node's final result."""

    result: NodeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something worth telling while the run goes on."""

    text: str


Event = Phase | NodeDone | NodeFinished | Message
if TYPE_CHECKING:
    Listener = Callable[[Event], None]

"""The steps of nodes: what a node reports of its transaction, and how long each step took."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeFinished, NodeStep
from harbor_agent.model.plan import Action
from harbor_agent.model.result import Step, StepTime
from harbor_agent.node.wire.programs import read_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harbor_agent.engine.events import Event, Listener
    from harbor_agent.model.result import NodeResult

# The words of the journal, without the number of the file.
_STEPS = {
    **dict.fromkeys(("begun", "preflight"), Step.VALIDATE),
    **dict.fromkeys(("prepared", "armed", "swapping", "swapped", "keeping"), Step.WRITE),
    "health": Step.HEALTH,
    "committing": Step.COMMIT,
    **dict.fromkeys(("restoring", "restarting", "undoing"), Step.ROLL_BACK),
}
_ACTIVATIONS = {Action.RELOAD: Step.RELOAD, Action.RESTART: Step.RESTART}
_NUMBER = re.compile(r"-\d+\Z")


def follow_steps(listener: Listener, node: str, action: Action = Action.NONE) -> Callable[[bytes], None]:
    """Return a function that takes the lines of a transaction's program and reports each step once as it begins.

    `action` is what activates the change. Lines and words that are not known are ignored.
    """
    steps = _STEPS | {"activating": _ACTIVATIONS.get(action, Step.WRITE)}
    current: Step | None = None

    def take(line: bytes) -> None:
        nonlocal current
        step = steps.get(_NUMBER.sub("", read_step(line)))
        if step is not None and step is not current:
            current = step
            listener(NodeStep(node=node, step=step))

    return take


class StepClock:
    """A listener in front of another one, which measures how long the steps of each node take. Threads may share it."""

    def __init__(self, listener: Listener) -> None:
        """Pass every event on to `listener`."""
        self._listener = listener
        self._lock = Lock()
        self._current: dict[str, tuple[Step, float]] = {}
        self._seconds: dict[str, dict[Step, float]] = {}

    def __call__(self, event: Event) -> None:
        """Take the time if the event begins or ends a step, and pass it on."""
        match event:
            case NodeStep(node=node, step=step):
                self._switch(node, None if step is Step.WAIT else step)
            case NodeFinished(result=result):
                self._switch(result.node, None)
            case _:
                pass
        self._listener(event)

    def add_times(self, results: Iterable[NodeResult]) -> tuple[NodeResult, ...]:
        """Return the results with the steps of their nodes."""
        return tuple(replace(result, steps=self._list_times(result.node)) for result in results)

    def _switch(self, node: str, step: Step | None) -> None:
        now = time.monotonic()
        with self._lock:
            before, since = self._current.pop(node, (None, now))
            if before is not None:
                spent = self._seconds.setdefault(node, {})
                spent[before] = spent.get(before, 0.0) + now - since
            if step is not None:
                self._current[node] = (step, now)

    def _list_times(self, node: str) -> tuple[StepTime, ...]:
        spent = self._seconds.get(node, {})
        return tuple(StepTime(step=step, seconds=seconds) for step, seconds in spent.items())

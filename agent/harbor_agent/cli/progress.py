"""A listener that reports the progress of a run on standard error."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from harbor_agent.cli.console import show_state, tell
from harbor_agent.engine.events import Event, Message, NodeDone, NodeFinished, Phase
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.views.text.style import render_problem, style, style_outcome

_SECONDS_BETWEEN_STATES = 5.0
# So many nodes in the same state get a line each; further ones are only counted.
_SHOWN_ALIKE = 20
_LONGEST_NAME = 120
_QUIET = frozenset({Outcome.UNCHANGED, Outcome.SKIPPED})


@dataclass(slots=True)
class Progress:
    """A listener that tells on standard error how far the run is.

    How many nodes there are in each state stands in a line that changes on a terminal, and comes every few seconds
    otherwise. A node has a line of its own where something is wrong or was done, as long as there are not too many.
    """

    verbose: int = 0
    _name: str = field(default="", init=False)
    _total: int = field(default=0, init=False)
    _states: Counter[str] = field(default_factory=Counter, init=False)
    _last_told: float = field(default=0.0, init=False)
    _is_on_terminal: bool = field(init=False)

    def __post_init__(self) -> None:
        """Look once where it is told: asking the terminal for each node costs more than counting it."""
        self._is_on_terminal = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Print what the event is worth, which may be nothing."""
        match event:
            case Phase(name=name, total=total):
                self._name, self._total = _shortened(name), total
                self._states.clear()
                self._last_told = time.monotonic()
                if total:
                    tell(style(f"{self._name} ({total} node{'s' if total != 1 else ''})", bold=True))
            case NodeDone(node=node, text=text, seconds=seconds):
                is_worth_it = self._counted(event.state)
                if self.verbose or (text != "seen" and is_worth_it):
                    tell(f"  [{self._states.total()}/{self._total}] {node}: {text} ({seconds:.1f} s)")
                self._tell_state()
            case NodeFinished(result=result):
                is_worth_it = self._counted(result.outcome.value.replace("_", " "))
                if self.verbose or is_worth_it or result.outcome not in _QUIET:
                    _tell_result(result)
                self._tell_state()
            case Message(text=text):
                tell(text)

    def _counted(self, state: str) -> bool:
        """Count a node, and say whether it is one of the first in this state."""
        self._states[state] += 1
        return self._states[state] <= _SHOWN_ALIKE

    def _tell_state(self) -> None:
        is_over = self._states.total() >= self._total
        if self._is_on_terminal:
            show_state("" if is_over else self._state())
        elif not is_over and time.monotonic() - self._last_told >= _SECONDS_BETWEEN_STATES:
            tell(f"  {self._state()}")
            self._last_told = time.monotonic()

    def _state(self) -> str:
        counted = ", ".join(f"{count} {state}" for state, count in self._states.most_common())
        return f"{self._name}: {self._states.total()} of {self._total}: {counted}"


def _tell_result(result: NodeResult) -> None:
    proof = {True: ", pull proven", False: ", pull failed", None: ""}[result.verified]
    outcome = style_outcome(result.outcome)
    tell(f"  {result.node}: {outcome}{proof} ({result.action.value}, {result.seconds:.1f} s)")
    if result.containers_lost:
        tell(f"    no longer running: {', '.join(result.containers_lost)}")
    if result.problem:
        tell("\n".join(f"    {line}" for line in render_problem(result.problem)))


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME].rpartition(', ')[0]} …"

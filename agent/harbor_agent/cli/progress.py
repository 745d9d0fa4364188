"""A listener that reports the progress of a run on standard error."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from harbor_agent.cli.console import print_status, show_status_line
from harbor_agent.engine.events import Event, Message, NodeFinished, NodeProbed, Phase
from harbor_agent.model.result import NodeResult, Outcome, Proof
from harbor_agent.views.text.common import count_nodes
from harbor_agent.views.text.run import describe_failed_pull
from harbor_agent.views.text.style import indent, render_problem, style, style_outcome

_SECONDS_BETWEEN_COUNTS = 5.0
# Up to so many nodes in the same state get a line each; further ones are only counted.
_SHOWN_ALIKE = 20
_LONGEST_NAME = 120
_QUIET = frozenset({Outcome.UNCHANGED, Outcome.SKIPPED})


@dataclass(slots=True)
class Progress:
    """A listener that prints the phases of a run and the nodes worth a line.

    The number of nodes in each state is in the status line of a terminal; otherwise it is printed every few seconds.
    A node gets its own line if it has a problem or was changed, unless there are many such nodes.
    """

    verbose: int = 0
    _phase: str = field(default="", init=False)
    _total: int = field(default=0, init=False)
    _states: Counter[str] = field(default_factory=Counter, init=False)
    _last_count: float = field(default=0.0, init=False)
    _is_on_terminal: bool = field(init=False)

    def __post_init__(self) -> None:
        """Look for the terminal once: asking for each node costs more than counting it."""
        self._is_on_terminal = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Print the event, or only count it."""
        match event:
            case Phase(name=name, total=total):
                self._phase, self._total = _shorten(name), total
                self._states.clear()
                self._last_count = time.monotonic()
                if total:
                    print_status(style(f"{self._phase} ({count_nodes(total)})", bold=True))
            case NodeProbed(node=node, problem=problem, seconds=seconds):
                is_one_of_few = self._count(problem.code if problem else "probed")
                if self.verbose or (problem and is_one_of_few):
                    text = problem.message if problem else "probed"
                    print_status(f"  [{self._states.total()}/{self._total}] {node}: {text} ({seconds:.1f} s)")
                self._show_counts()
            case NodeFinished(result=result):
                is_one_of_few = self._count(result.outcome.value.replace("_", " "))
                if self.verbose or is_one_of_few or result.outcome not in _QUIET:
                    _print_node(result)
                self._show_counts()
            case Message(text=text):
                print_status(text)

    def _count(self, state: str) -> bool:
        """Count a node; returns whether it is one of the first in this state."""
        self._states[state] += 1
        return self._states[state] <= _SHOWN_ALIKE

    def _show_counts(self) -> None:
        is_over = self._states.total() >= self._total
        if self._is_on_terminal:
            show_status_line("" if is_over else self._describe_counts())
        elif not is_over and time.monotonic() - self._last_count >= _SECONDS_BETWEEN_COUNTS:
            print_status(f"  {self._describe_counts()}")
            self._last_count = time.monotonic()

    def _describe_counts(self) -> str:
        counted = ", ".join(f"{count} {state}" for state, count in self._states.most_common())
        return f"{self._phase}: {self._states.total()} of {self._total}: {counted}"


def _print_node(result: NodeResult) -> None:
    unproven = ", not proven by a pull" if result.outcome is Outcome.CHANGED else ""
    proven = ", proven by a pod" if result.proof is Proof.POD else ", pull verified"
    pull = {True: proven, False: describe_failed_pull(result), None: unproven}[result.verified]
    outcome = style_outcome(result.outcome)
    print_status(f"  {result.node}: {outcome}{pull} ({result.action.value}, {result.seconds:.1f} s)")
    if result.containers_lost:
        print_status(f"    no longer running: {', '.join(result.containers_lost)}")
    if result.problem:
        print_status("\n".join(map(indent, render_problem(result.problem))))


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME].rpartition(', ')[0]} …"

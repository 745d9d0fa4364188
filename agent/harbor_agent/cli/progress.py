"""A listener that reports the progress of a run on standard error."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from threading import RLock

from harbor_agent.cli.console import print_status
from harbor_agent.cli.terminal.footer import FOOTER, Ticker
from harbor_agent.cli.terminal.streams import can_move_cursor, is_terminal
from harbor_agent.engine.events import Event, Message, NodeFinished, NodeProbed, NodeStep, Phase
from harbor_agent.language.current import translate
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome, Proof, Step
from harbor_agent.views.screen.work import Work, draw_work, format_time
from harbor_agent.views.text.common import count_nodes, join_clauses
from harbor_agent.views.text.run import describe_failed_pull
from harbor_agent.views.text.style import indent, render_problem, style, style_outcome

_SECONDS_BETWEEN_COUNTS = 5.0
# Without a terminal, a line says who is at work if nothing was said for so long.
_SECONDS_OF_SILENCE = 30.0
_NAMED_AT_WORK = 5
# Up to so many nodes in the same state get a line each; further ones are only counted.
_SHOWN_ALIKE = 20
_LONGEST_NAME = 120
_QUIET = frozenset({Outcome.UNCHANGED, Outcome.SKIPPED})


@dataclass(slots=True)
class Progress:
    """A listener that prints the phases of a run and the nodes worth a line; any thread may call it.

    On a terminal, the number of nodes in each state and the nodes at work, with their steps, are at its bottom.
    Elsewhere the numbers are printed every few seconds, and so are the nodes at work if nothing else was.
    A node gets its own line if it has a problem or was changed, unless there are many such nodes.
    """

    verbose: int = 0
    _phase: Phase | None = field(default=None, init=False)
    _states: Counter[str] = field(default_factory=Counter, init=False)
    _work: dict[str, tuple[Step, float]] = field(default_factory=dict, init=False)
    _last_line: float = field(default=0.0, init=False)
    _has_footer: bool = field(init=False)
    _has_results: bool = field(init=False)
    _reminder: Ticker | None = field(default=None, init=False)
    _lock: RLock = field(default_factory=RLock, init=False)

    def __post_init__(self) -> None:
        """Look for the terminal once: asking for each node costs more than counting it."""
        self._has_footer = can_move_cursor(sys.stderr)
        self._has_results = is_terminal(sys.stdout)

    def __call__(self, event: Event) -> None:
        """Print the event, or only count it."""
        match event:
            case Phase():
                self._begin(event)
            case NodeStep(node=node, step=step):
                with self._lock:
                    self._work[node] = (step, time.monotonic())
            case NodeProbed(node=node, problem=problem, seconds=seconds):
                is_one_of_few = self._count(node, problem.code if problem else "probed")
                if self.verbose or (problem and is_one_of_few):
                    text = translate(problem.message if problem else "probed")
                    named = text if text.startswith(node) else f"{node}: {text}"
                    self._print(f"  [{self._states.total()}/{self._total}] {named} ({seconds:.1f} s)")
                self._show_counts()
            case NodeFinished(result=result):
                is_one_of_few = self._count(result.node, result.outcome.value.replace("_", " "))
                if self.verbose or is_one_of_few or result.outcome not in _QUIET:
                    self._print("\n".join(_describe_node(result)[: self._most_lines]))
                self._show_counts()
            case Message(text=text):
                self._print(text)

    @property
    def _most_lines(self) -> int | None:
        """How many lines of a node are shown: one if a report with its reason follows on the same terminal."""
        is_check = self._phase is not None and self._phase.wave is None
        return 1 if is_check and self._has_results else None

    @property
    def _total(self) -> int:
        return self._phase.total if self._phase else 0

    def _begin(self, phase: Phase) -> None:
        with self._lock:
            self._phase = phase
            self._states.clear()
            self._work.clear()
        if not phase.total:
            return
        wave = f", {_describe_wave(phase)}" if phase.wave else ""
        name = translate(_shorten(phase.name))
        self._print(style(f"{name} ({translate(count_nodes(phase.total))}){translate(wave)}", bold=True))
        if self._has_footer:
            FOOTER.show(self._draw)
        elif self._reminder is None:
            self._reminder = Ticker(self._remind, _SECONDS_BETWEEN_COUNTS)

    def _count(self, node: str, state: str) -> bool:
        """Count a node, whose work has ended; returns whether it is one of the first in this state."""
        with self._lock:
            self._work.pop(node, None)
            self._states[state] += 1
        return self._states[state] <= _SHOWN_ALIKE

    def _show_counts(self) -> None:
        if self._states.total() >= self._total:
            self._end()
        elif not self._has_footer and time.monotonic() - self._last_line >= _SECONDS_BETWEEN_COUNTS:
            self._print(f"  {self._describe_phase()}: {self._describe_counts()}")

    def _end(self) -> None:
        """End what a phase has in the background."""
        if self._has_footer:
            FOOTER.remove()
        if self._reminder is not None:
            self._reminder.stop()
            self._reminder = None

    def _describe_counts(self) -> str:
        """Return how many nodes of the phase are done, and how many of them are in which state."""
        counted = translate(", ".join(f"{count} {state}" for state, count in self._states.most_common()))
        return f"{self._states.total()} of {self._total}" + (f": {counted}" if counted else "")

    def _draw(self, columns: int, rows: int) -> list[str]:
        with self._lock:
            return draw_work(f"{self._describe_phase()}: {self._describe_counts()}", self._list_work(), columns, rows)

    def _describe_phase(self) -> str:
        """Return the wave, whose nodes are listed below, or the name of any other phase."""
        if self._phase is None:
            return ""
        return translate(_describe_wave(self._phase) or _shorten(self._phase.name))

    def _list_work(self) -> list[Work]:
        """Return the nodes at work; one that waits for the others of its wave is not."""
        now = time.monotonic()
        return [
            Work(node=node, step=translate(step.value), seconds=now - since)
            for node, (step, since) in self._work.items()
            if step is not Step.WAIT
        ]

    def _remind(self) -> None:
        if time.monotonic() - self._last_line < _SECONDS_OF_SILENCE:
            return
        with self._lock:
            work = sorted(self._list_work(), key=lambda one: -one.seconds)
        if not work:
            return
        named = [f"{one.node} ({one.step}, {format_time(one.seconds)})" for one in work[:_NAMED_AT_WORK]]
        more = len(work) - len(named)
        self._print(translate(f"  at work: {', '.join(named)}") + translate(f" and {more} more" if more else ""))

    def _print(self, text: str) -> None:
        self._last_line = time.monotonic()
        print_status(text)


def _describe_node(result: NodeResult) -> list[str]:
    unproven = ", not proven by a pull" if result.outcome is Outcome.CHANGED else ""
    proven = ", proven by a pod" if result.proof is Proof.POD else ", pull verified"
    pull = {True: proven, False: describe_failed_pull(result), None: unproven}[result.verified]
    outcome = style_outcome(result.outcome)
    facts = [result.action.value] if result.action is not Action.NONE else []
    facts += [f"{result.seconds:.1f} s"] if result.seconds else []
    lines = [f"  {result.node}: {outcome}{translate(pull)}{f' ({join_clauses(facts)})' if facts else ''}"]
    if result.containers_lost:
        lines.append(indent(indent(translate(f"no longer running: {', '.join(result.containers_lost)}"))))
    return [*lines, *(map(indent, render_problem(result.problem)) if result.problem else ())]


def _describe_wave(phase: Phase) -> str:
    return f"wave {phase.wave.number} of {phase.wave.total}" if phase.wave else ""


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME].rpartition(', ')[0]} …"

"""A report as a value: its subjects, each with a verdict, and the groups of those that say the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem

TOOL = f"harbor-agent {__version__}"


class Verdict(StrEnum):
    """What the status of a subject means, the most severe one first.

    ERROR: its state is not known, or needs manual intervention. FAILURE: it is known, and not as requested. PENDING:
    something is left to do.
    """

    ERROR = "error"
    FAILURE = "failure"
    PENDING = "pending"
    FINE = "fine"
    SKIPPED = "skipped"


class Kind(StrEnum):
    """What a report has results of."""

    NODE = "node"
    DNS_SERVER = "DNS server"
    SECRET = "pull secret"  # noqa: S105 - a name, not a password
    CONTAINER = "container"
    COMMAND = "command"


VERDICTS = {
    Outcome.ROLLBACK_FAILED: Verdict.ERROR,
    Outcome.UNREACHABLE: Verdict.ERROR,
    Outcome.UNKNOWN: Verdict.ERROR,
    Outcome.FAILED: Verdict.FAILURE,
    Outcome.ROLLED_BACK: Verdict.FAILURE,
    Outcome.REFUSED: Verdict.FAILURE,
    Outcome.PENDING: Verdict.PENDING,
    Outcome.CHANGED: Verdict.FINE,
    Outcome.UNCHANGED: Verdict.FINE,
    Outcome.SKIPPED: Verdict.SKIPPED,
}
_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One node, DNS server, pull secret or container, or the command itself.

    `status` is its word, `title` how it changes, such as ("drop-in", "restart"). `reason` is one sentence, "" if the
    problem says it. `diff` is a unified diff with secrets masked. `remarks` are lines about this subject alone,
    `objection` is why `apply` will refuse a planned change. `timings` are steps and their seconds.
    """

    name: str
    verdict: Verdict
    status: str
    kind: Kind = Kind.NODE
    title: tuple[str, ...] = ()
    reason: str = ""
    problem: Problem | None = None
    objection: Problem | None = None
    diff: str = ""
    remarks: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    runtime: str = ""
    timings: tuple[tuple[str, float], ...] = ()

    @property
    def seconds(self) -> float:
        """How long all of its steps took."""
        return sum(seconds for _, seconds in self.timings)

    @property
    def likeness(self) -> tuple[object, ...]:
        """What items of one group have in common; a problem's message may name its node, and warnings part no group."""
        cause = (self.problem.code, self.problem.hint) if self.problem else self.reason
        objection = self.objection.code if self.objection else None
        return (self.verdict, self.kind, self.status, self.title, cause, objection, self.diff)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The report of a command.

    `summary` is one line that quotes nothing: words of this program and numbers. `facts` are names and values about all
    of it. `counts_pending`: what is pending is a reason for an exit code other than 0.
    """

    command: str
    summary: str
    items: tuple[Item, ...]
    exit_code: int
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Problem, ...] = ()
    counts_pending: bool = False

    @property
    def groups(self) -> list[tuple[Item, ...]]:
        """The items that say the same: the most severe verdict first, then the smallest group."""
        found: dict[tuple[object, ...], list[Item]] = {}
        for item in self.items:
            found.setdefault(item.likeness, []).append(item)
        return sorted(map(tuple, found.values()), key=lambda group: (_ORDER.index(group[0].verdict), len(group)))


def list_facts(facts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the facts that are known."""
    return tuple((name, value) for name, value in facts.items() if value)


def time_steps(steps: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Return the steps that took time."""
    return tuple((name, seconds) for name, seconds in steps.items() if seconds > 0)


def list_words(*words: str) -> tuple[str, ...]:
    """Return the words that are not empty."""
    return tuple(word for word in words if word)

"""Errors that stop a run (`AgentError`), and a problem with one node as a value (`Problem`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """Exit codes of the command; if several apply, the first of 6, 1, 7, 5, 4, 3 is used."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 3
    UNREACHABLE = 4
    REFUSED = 5
    NEEDS_INTERVENTION = 6
    STOPPED = 7
    BUG = 70
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem with one thing (a node, a registry, a secret) as a value.

    `code` is stable, in kebab case and documented in docs/runbooks; `message` says what failed and why; `hint` says
    what to do, as an imperative ("" if there is nothing to add).
    """

    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the message, followed by the hint in brackets if there is one."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class AgentError(Exception):
    """An error that stops the run; never raised for one node among others, which gets a `Problem`."""

    exit_code = ExitCode.FAILED

    def __init__(self, problem: Problem, warnings: Iterable[Problem] = ()) -> None:
        """Keep the problem; its message is the text of the exception. `warnings` were found before it."""
        super().__init__(problem.message)
        self.problem = problem
        self.warnings = tuple(warnings)

    @classmethod
    def of(cls, code: str, message: str, hint: str = "") -> Self:
        """Build the error from the parts of its problem."""
        return cls(Problem(code=code, message=message, hint=hint))


class OutputError(AgentError):
    """The report cannot be written to standard output, for example because a disk is full."""


class UsageError(AgentError):
    """The command line, configuration or inventory is wrong; nothing was done."""

    exit_code = ExitCode.USAGE


class StoppedError(AgentError):
    """The run stopped early: declined, no terminal to ask on, or a budget was exceeded."""

    exit_code = ExitCode.STOPPED


class LockedError(AgentError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED

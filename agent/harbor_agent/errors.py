"""What stops a run (`AgentError`), and what went wrong on one node (`Problem`, a value)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """Exit codes of the command; of several, the first of 6, 1, 7, 5, 4, 3 is used."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 3
    UNREACHABLE = 4
    REFUSED = 5
    NEEDS_PERSON = 6
    STOPPED = 7
    BUG = 70
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong with one thing (a node, a registry, a secret), as a value.

    `code` is stable and kebab-case (documented in docs/runbooks), `message` is one sentence that
    names what was found, `hint` says what to do about it ("" where there is nothing to add).
    """

    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the message, and the way out behind it where there is one."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class AgentError(Exception):
    """Something that stops the run. Never raised for one node among others: that is a `Problem`."""

    exit_code = ExitCode.FAILED

    def __init__(self, problem: Problem) -> None:
        """Keep the problem; its message is the exception's text."""
        super().__init__(problem.message)
        self.problem = problem

    @classmethod
    def of(cls, code: str, message: str, hint: str = "") -> Self:
        """Build the error and its problem in one go."""
        return cls(Problem(code=code, message=message, hint=hint))


class OutputError(AgentError):
    """Standard output does not take what was done or found: its disk is full, or fails."""


class UsageError(AgentError):
    """The command line, configuration or inventory is wrong; nothing was done."""

    exit_code = ExitCode.USAGE


class StoppedError(AgentError):
    """The run stopped early: declined, no terminal to ask on, or a budget was exceeded."""

    exit_code = ExitCode.STOPPED


class LockedError(AgentError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED

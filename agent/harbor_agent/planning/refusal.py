"""How planning stops on one node: raised inside, always turned into a `Refusal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.formats.text import FormatError


class RefusedError(Exception):
    """The node cannot be planned, or must not be changed; `problem` says why and what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """Keep the problem."""
        super().__init__(message)
        self.problem = Problem(code=code, message=message, hint=hint)

    @classmethod
    def because_of(cls, problem: Problem) -> Self:
        """Return the refusal for a problem that is there already."""
        return cls(problem.code, problem.message, problem.hint)


def refused_file(path: str, error: FormatError) -> RefusedError:
    """Return the refusal for a file that its reader cannot use."""
    return RefusedError("file-invalid", f"{path} line {error.line}: {error.reason}", "mend the file by hand")

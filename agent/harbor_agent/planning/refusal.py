"""How planning stops on one node: raised inside, always turned into a `Refusal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.formats.text import FormatError
    from harbor_agent.model.state import NodeState

_WAY_OUT = (
    "it ends by itself within minutes; where it does not, as root there: "
    "sh /var/lib/harbor-agent/transactions/RUN/transaction.sh rollback RUN; "
    "where that file is gone, harbor-agent explain transaction-pending has the way out"
)


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


def pending_transaction(state: NodeState) -> Problem | None:
    """Return why nothing is planned while a transaction of the node has not ended; None where there is none."""
    transaction = state.pending_transaction
    if not transaction:
        return None
    return Problem(
        code="transaction-pending",
        message=f"transaction {transaction} is under way on the node, or was broken off",
        hint=_WAY_OUT.replace("RUN", transaction),
    )

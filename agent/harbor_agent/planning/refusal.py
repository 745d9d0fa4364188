"""The error that ends the planning of one node; planners turn it into a `Refusal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.formats.text import FormatError
    from harbor_agent.model.state import NodeState

_HINT = (
    "wait a few minutes for it to end; if it does not, run as root on the node: "
    "sh /var/lib/harbor-agent/transactions/RUN/transaction.sh rollback RUN; "
    "if that file is missing, see harbor-agent explain transaction-pending"
)


class RefusedError(Exception):
    """The node cannot be planned or must not be changed; `problem` says why and what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """Keep the problem."""
        super().__init__(message)
        self.problem = Problem(code=code, message=message, hint=hint)

    @classmethod
    def from_problem(cls, problem: Problem) -> Self:
        """Build the refusal from its problem."""
        return cls(problem.code, problem.message, problem.hint)


def refuse_file(path: str, error: FormatError) -> RefusedError:
    """Return the refusal for a file that its parser rejects."""
    return RefusedError("file-invalid", f"{path} line {error.line}: {error.reason}", "fix the file by hand")


def find_pending_transaction(state: NodeState) -> Problem | None:
    """Return the problem that a transaction on the node has not ended; None if there is no such transaction."""
    transaction = state.pending_transaction
    if not transaction:
        return None
    return Problem(
        code="transaction-pending",
        message=f"transaction {transaction} is under way on the node or was interrupted",
        hint=_HINT.replace("RUN", transaction),
    )


def require_idle_systemd(state: NodeState) -> None:
    """Raise RefusedError while a transaction is under way, and for a node without systemd."""
    if pending := find_pending_transaction(state):
        raise RefusedError.from_problem(pending)
    if state.system.init not in ("", "systemd"):
        message = f"process 1 of the node is {state.system.init}, not systemd"
        raise RefusedError("no-systemd", message, "only nodes with systemd can be changed")

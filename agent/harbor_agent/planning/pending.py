"""A transaction that has not ended: whoever plans the node waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

_WAY_OUT = (
    "it ends by itself within minutes; where it does not, as root there: "
    "sh /var/lib/harbor-agent/transactions/RUN/transaction.sh rollback RUN; "
    "where that file is gone, harbor-agent explain transaction-pending has the way out"
)


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

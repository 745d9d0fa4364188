"""What became of a node: one outcome type for plans and runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action

if TYPE_CHECKING:
    from harbor_agent.errors import Problem


class Outcome(StrEnum):
    """How a node stands after a plan or a run."""

    UNCHANGED = "unchanged"
    PENDING = "change"
    CHANGED = "changed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    FAILED = "failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class TransactionPhase(StrEnum):
    """Where a transaction on a node stands; the last five are final."""

    RUNNING = "running"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    REFUSED = "refused"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReport:
    """What the node says of one transaction.

    `step` is the last journalled step, `detail` what the node saw (an error line of dockerd, the file that
    moved); `code` a stable problem code for anything but COMMITTED. `containers_lost` ran before and do not now.
    """

    transaction: str
    phase: TransactionPhase
    step: str = ""
    code: str = ""
    detail: str = ""
    containers_lost: tuple[str, ...] = ()


class PullVerdict(StrEnum):
    """How a pull by the node's own daemon went.

    INSECURE_REFUSED says that the change failed; so does CERTIFICATE_REFUSED where the change took the entry out that
    had the daemon trust any certificate.
    """

    PULLED = "pulled"
    INSECURE_REFUSED = "insecure-refused"
    CERTIFICATE_REFUSED = "certificate-refused"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """The result of pulling an image as proof that a node trusts the registry."""

    image: str
    verdict: PullVerdict
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """One node's line of a run report. `verified` is None where no proof was asked for; `seconds` is wall time.

    `containers_lost` are the names of those that ran before and do not now; `reason` tells them too.
    """

    node: str
    outcome: Outcome
    action: Action = Action.NONE
    transaction: str | None = None
    verified: bool | None = None
    reason: str = ""
    problem: Problem | None = None
    seconds: float = 0.0
    containers_lost: tuple[str, ...] = ()

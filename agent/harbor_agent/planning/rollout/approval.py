"""What a person approves when approving a plan: which bytes become which, on which node, and how. Hashes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.plan import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedFile:
    """One file of an approved plan, as fingerprints (see `FileState`)."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One node of an approved plan. `policy_digest` names what was wanted of it."""

    node: str
    status: Outcome
    policy_digest: str
    route: str = "none"
    action: str = "none"
    files: tuple[ApprovedFile, ...] = ()


def approval_of(node: str, status: Outcome, decision: Plan | Refusal | None, policy_digest: str) -> Approval:
    """Return what is approved with a node's plan."""
    if not isinstance(decision, Plan):
        return Approval(node=node, status=status, policy_digest=policy_digest)
    return Approval(
        node=node,
        status=status,
        policy_digest=policy_digest,
        route=decision.route.value,
        action=decision.activation.action.value,
        files=tuple(
            ApprovedFile(path=c.path, before=c.before.fingerprint, after=c.after.fingerprint) for c in decision.changes
        ),
    )


def objection(fresh: Approval, approved: Mapping[str, Approval]) -> Problem | None:
    """Return why a node that is to be changed now is not what was approved; None where it is just that."""
    if fresh.status is not Outcome.CHANGE:
        return None
    before = approved.get(fresh.node)
    if before is None:
        what = "is not in the plan file"
    elif before.status is not Outcome.CHANGE:
        what = f"was {before.status.value} when it was planned, and is to be changed now"
    elif before.policy_digest != fresh.policy_digest:
        what = "is to become something else than was planned: the settings have changed"
    elif moved := _moved(before, fresh):
        what = f"has changed since it was planned: {moved}"
    elif before != fresh:
        what = "would be changed in another way than was planned"
    else:
        return None
    return Problem(code="plan-stale", message=f"{fresh.node} {what}", hint="plan again, and look at the new plan")


def _moved(then: Approval, now: Approval) -> str | None:
    """Return the first path that is no longer what it was, or no longer part of the change."""
    befores = [{file.path: file.before for file in approval.files} for approval in (then, now)]
    paths = dict.fromkeys([*befores[0], *befores[1]])
    return next((path for path in paths if befores[0].get(path) != befores[1].get(path)), None)

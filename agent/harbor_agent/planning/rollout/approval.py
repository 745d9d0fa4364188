"""The approval of a plan: for each node, which file contents change to which and how, as hashes only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.dns import ConfigMapChange
    from harbor_agent.model.plan import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedFile:
    """One file of an approved plan; `before` and `after` are fingerprints (see `FileState`)."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One node of an approved plan; `policy_digest` identifies the policy that it was planned for.

    `apply_refuses` is why `apply` will refuse the node without consent. It says nothing about the change itself, so
    two approvals may differ in it.
    """

    node: str
    status: Outcome
    policy_digest: str
    route: str = "none"
    action: str = "none"
    files: tuple[ApprovedFile, ...] = ()
    apply_refuses: Problem | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedConfigMap:
    """A ConfigMap of the cluster's DNS in an approved plan; `before` and `after` are hashes (see `ConfigMapChange`)."""

    server: str
    config_map: str
    before: str
    after: str


def approve_config_map(server: str, change: ConfigMapChange) -> ApprovedConfigMap:
    """Return what is approved with the change of a ConfigMap."""
    return ApprovedConfigMap(
        server=server, config_map=change.before.full_name, before=change.before_hash, after=change.after_hash
    )


def build_approval(
    node: str,
    status: Outcome,
    decision: Plan | Refusal | None,
    policy_digest: str,
    apply_refuses: Problem | None = None,
) -> Approval:
    """Return what is approved with a node's plan; without a plan, only its status."""
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
        apply_refuses=apply_refuses,
    )


def check_approval(fresh: Approval, approved: Mapping[str, Approval]) -> Problem | None:
    """Return how the change of a node deviates from the approved one; None if it does not, or nothing changes."""
    if fresh.status is not Outcome.PENDING:
        return None
    before = approved.get(fresh.node)
    if before is None:
        what = "is not in the plan file"
    elif before.status is not Outcome.PENDING:
        what = f"needs a change now; its planned status was {before.status.value}"
    elif before.policy_digest != fresh.policy_digest:
        what = "was planned with other settings: they have changed since"
    elif path := _find_changed_path(before, fresh):
        what = f"has changed since it was planned: {path}"
    elif before != fresh:
        what = "needs another change than the planned one"
    else:
        return None
    return Problem(code="plan-stale", message=f"{fresh.node} {what}", hint="plan again and check the new plan")


def _find_changed_path(then: Approval, now: Approval) -> str | None:
    """Return the first path whose content was another one then, or that is part of one change only."""
    befores = [{file.path: file.before for file in approval.files} for approval in (then, now)]
    paths = dict.fromkeys([*befores[0], *befores[1]])
    return next((path for path in paths if befores[0].get(path) != befores[1].get(path)), None)

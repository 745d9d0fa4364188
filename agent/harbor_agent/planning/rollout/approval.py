"""The approval of a plan: for each node, ConfigMap and pull secret, what changes to what; as hashes, or with diffs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_userinfo
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.model.dns import ConfigMapChange
    from harbor_agent.model.plan import Refusal
    from harbor_agent.model.secret import SecretPlan

_PLAN_AGAIN = "plan again and check the new plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedFile:
    """One file of an approved plan; `before` and `after` are fingerprints (see `FileState`).

    `diff` is what the plan shows, with secrets masked, and `reason` why; None if the plan file has only hashes.
    """

    path: str
    before: str
    after: str
    diff: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One node of an approved plan; `policy_digest` identifies the policy that it was planned for.

    `apply_refuses` is why `apply` will refuse the node without consent: consent covers only this. `warnings` stop
    nothing, and are only kept with diffs.
    """

    node: str
    status: Outcome
    policy_digest: str
    route: str = "none"
    action: str = "none"
    files: tuple[ApprovedFile, ...] = ()
    apply_refuses: Problem | None = field(default=None, compare=False)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedConfigMap:
    """A ConfigMap of the cluster's DNS in an approved plan; `before` and `after` are hashes (see `ConfigMapChange`).

    `diff` is None if the plan file has only hashes. `apply_refuses` is why `apply` will refuse it without consent.
    """

    server: str
    config_map: str
    before: str
    after: str
    diff: str | None = None
    apply_refuses: Problem | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedSecret:
    """A pull secret of an approved plan: the keys that change, such as `add metadata.labels[team]`, and never a value.

    `service_accounts` are those that the secret will be attached to.
    """

    namespace: str
    name: str
    registry: str
    action: str
    keys: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()


def approve_config_map(server: str, change: ConfigMapChange) -> ApprovedConfigMap:
    """Return what is approved with the change of a ConfigMap."""
    return ApprovedConfigMap(
        server=server, config_map=change.before.full_name, before=change.before_hash, after=change.after_hash
    )


def approve_secret(registry: str, plan: SecretPlan) -> ApprovedSecret | None:
    """Return what is approved with a pull secret in one namespace; None if nothing of it will change."""
    accounts = tuple(one.name for one in plan.service_accounts if one.outcome is Outcome.PENDING)
    if plan.outcome is not Outcome.PENDING and not accounts:
        return None
    return ApprovedSecret(
        namespace=plan.namespace,
        name=plan.name,
        registry=registry,
        action=plan.action.value if plan.outcome is Outcome.PENDING else "none",
        keys=tuple(f"{change.kind.value} {mask_userinfo(change.key)}" for change in plan.changes),
        service_accounts=accounts,
    )


def find_unapproved_secret(fresh: Iterable[ApprovedSecret], approved: Iterable[ApprovedSecret]) -> Problem | None:
    """Return why the pull secrets may not be written: the first change that is not one of the approved ones."""
    known = frozenset(approved)
    other = next((secret for secret in fresh if secret not in known), None)
    if other is None:
        return None
    message = f"secret {other.namespace}/{other.name} needs another change than the planned one"
    return Problem(code="plan-stale", message=message, hint=_PLAN_AGAIN)


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
    elif (objection := fresh.apply_refuses) and objection != before.apply_refuses:
        what = f"has changed since it was planned: {objection.message}"
    else:
        return None
    return Problem(code="plan-stale", message=f"{fresh.node} {what}", hint=_PLAN_AGAIN)


def _find_changed_path(then: Approval, now: Approval) -> str | None:
    """Return the first path whose content was another one then, or that is part of one change only."""
    befores = [{file.path: file.before for file in approval.files} for approval in (then, now)]
    paths = dict.fromkeys([*befores[0], *befores[1]])
    return next((path for path in paths if befores[0].get(path) != befores[1].get(path)), None)

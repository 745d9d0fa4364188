"""One pull secret in one namespace: read, decide, write, then the service accounts.

With namespaces given by name this needs get, create and patch on secrets, and get and patch on the service accounts
named; everything else that is listed is left out if it may not be. Import this module when it is needed: lightkube
takes a quarter of a second to import.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.object_names import check_names
from harbor_agent.kubernetes.pods.attachment import find_pods_to_recreate
from harbor_agent.kubernetes.secrets import delete_secret, read_secret, try_secret, write_secret
from harbor_agent.kubernetes.service_accounts import attach, detach, list_attached_accounts, plan_attachment
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretPlan, SecretResult
from harbor_agent.planning.secrets.changes import list_changes
from harbor_agent.planning.secrets.plan import plan_secret_removal, plan_secret_write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.formats.pull_secret import ObservedSecret
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.address import Address
    from harbor_agent.model.secret import SecretSpec, ServiceAccountResult

_ATTEMPTS = 10


def plan_secret(cluster: Cluster, spec: SecretSpec, namespace: str) -> SecretPlan:
    """Return what `apply_secret` would do, tried on the server as a dry run: nothing is changed.

    So the plan shows a namespace that is missing or being deleted, a missing right, a quota and a conflict. Dry runs
    need Kubernetes 1.13 or later.
    """
    plan, observed = _decide(cluster, spec, namespace)
    if plan.outcome is Outcome.PENDING:
        plan = _try_write(cluster, spec, plan, observed)
    if plan.outcome not in {Outcome.PENDING, Outcome.UNCHANGED}:
        return plan
    accounts = [plan_attachment(cluster.client, namespace, name, spec.name) for name in spec.service_accounts]
    warnings = _find_older_pods(cluster, spec, namespace, accounts)
    return replace(plan, service_accounts=tuple(accounts), warnings=(*plan.warnings, *warnings))


def apply_secret(cluster: Cluster, spec: SecretSpec, namespace: str) -> SecretResult:
    """Create or update the secret, or leave it alone; then attach it to the service accounts.

    Decides on what is there now, and again if somebody else writes at the same time.
    """
    plan = _apply_once(cluster, spec, namespace)
    for _ in range(_ATTEMPTS):
        if not plan.problem or plan.problem.code != "cluster-conflict":
            break
        plan = _apply_once(cluster, spec, namespace)
    result = SecretResult(
        namespace=namespace,
        name=spec.name,
        outcome=plan.outcome,
        action=plan.action,
        differences=plan.differences,
        problem=plan.problem,
    )
    if plan.outcome not in {Outcome.CHANGED, Outcome.UNCHANGED}:
        return result
    accounts = [attach(cluster.client, namespace, name, spec.name) for name in spec.service_accounts]
    warnings = _find_older_pods(cluster, spec, namespace, accounts)
    return replace(result, service_accounts=tuple(accounts), warnings=warnings)


def plan_removal(cluster: Cluster, name: str, namespace: str, address: Address) -> SecretPlan:
    """Return what `remove_secret` would do; nothing is changed."""
    return _decide_removal(cluster, name, namespace, address)[0]


def remove_secret(cluster: Cluster, name: str, namespace: str, address: Address) -> SecretResult:
    """Take the secret out of the service accounts that this tool attached it to, then delete it if this tool made it.

    One that holds logins, but none for `address`, is left alone: it may have been switched to another registry. Decides
    again if somebody else writes at the same time.
    """
    result = _remove_once(cluster, name, namespace, address)
    for _ in range(_ATTEMPTS):
        if not result.problem or result.problem.code != "cluster-conflict":
            break
        result = _remove_once(cluster, name, namespace, address)
    return result


def _remove_once(cluster: Cluster, name: str, namespace: str, address: Address) -> SecretResult:
    plan, observed = _decide_removal(cluster, name, namespace, address)
    result = SecretResult(
        namespace=namespace, name=name, outcome=plan.outcome, action=plan.action, problem=plan.problem
    )
    accounts = tuple(detach(cluster.client, namespace, account.name, name) for account in plan.service_accounts)
    result = replace(result, service_accounts=accounts)
    if plan.outcome is not Outcome.PENDING or observed is None:
        return result
    attached_still = next((account.problem for account in accounts if account.problem), None)
    problem = attached_still or delete_secret(cluster.client, observed)
    if problem:
        return replace(result, outcome=Outcome.FAILED, action=SecretAction.NONE, problem=problem)
    return replace(result, outcome=Outcome.CHANGED)


def _decide_removal(
    cluster: Cluster, name: str, namespace: str, address: Address
) -> tuple[SecretPlan, ObservedSecret | None]:
    plan = SecretPlan(namespace=namespace, name=name, outcome=Outcome.PENDING, action=SecretAction.REMOVE)
    if invalid := check_names(namespace=namespace, secret=name):
        return _refuse(plan, invalid), None
    observed = read_secret(cluster.client, namespace, name)
    attached = list_attached_accounts(cluster.client, namespace, name)
    if isinstance(observed, Problem):
        return _fail(plan, observed), None
    if isinstance(attached, Problem):
        return _fail(plan, attached), None
    return plan_secret_removal(name, namespace, address, observed, attached), observed


def _find_older_pods(
    cluster: Cluster, spec: SecretSpec, namespace: str, accounts: Sequence[ServiceAccountResult]
) -> tuple[Problem, ...]:
    names = {account.name for account in accounts if account.problem is None}
    warning = find_pods_to_recreate(cluster.client, spec, namespace, names) if names else None
    return (warning,) if warning else ()


def _apply_once(cluster: Cluster, spec: SecretSpec, namespace: str) -> SecretPlan:
    plan, observed = _decide(cluster, spec, namespace)
    if plan.outcome is not Outcome.PENDING:
        return plan
    problem = write_secret(cluster.client, spec, namespace, observed)
    return _fail(plan, problem) if problem else replace(plan, outcome=Outcome.CHANGED)


def _try_write(cluster: Cluster, spec: SecretSpec, plan: SecretPlan, observed: ObservedSecret | None) -> SecretPlan:
    """Return the plan with the changes that the server would make, or with its reason against them."""
    tried = try_secret(cluster.client, spec, plan.namespace, observed)
    if not isinstance(tried, Problem):
        return replace(plan, changes=list_changes(observed, tried))
    if tried.code == "cluster-conflict":
        return plan
    if _is_dry_run_unsupported(tried):
        return replace(plan, warnings=(_describe_untried(spec, plan.namespace, tried),))
    if tried.code == "secret-conflict":
        forced = try_secret(cluster.client, replace(spec, force_conflicts=True), plan.namespace, observed)
        plan = plan if isinstance(forced, Problem) else replace(plan, changes=list_changes(observed, forced))
    return _fail(plan, tried)


def _describe_untried(spec: SecretSpec, namespace: str, problem: Problem) -> Problem:
    return Problem(
        code="secret-not-tried",
        message=f"the write of secret {spec.name} in namespace {namespace} could not be tried: {problem.message}",
        hint="ask its owner to set sideEffects: None on the webhook if it has none; without a trial, the keys that the "
        "write changes and a refusal by this webhook are not known in advance",
    )


def _decide(cluster: Cluster, spec: SecretSpec, namespace: str) -> tuple[SecretPlan, ObservedSecret | None]:
    plan = SecretPlan(namespace=namespace, name=spec.name, outcome=Outcome.PENDING)
    invalid = check_names(namespace=namespace, secret=spec.name, service_accounts=spec.service_accounts)
    if invalid:
        return _refuse(plan, invalid), None
    observed = read_secret(cluster.client, namespace, spec.name)
    if isinstance(observed, Problem):
        return _fail(plan, observed), None
    return plan_secret_write(spec, namespace, observed), observed


def _refuse(plan: SecretPlan, problem: Problem) -> SecretPlan:
    return replace(plan, outcome=Outcome.REFUSED, action=SecretAction.NONE, reason=problem.message, problem=problem)


def _fail(plan: SecretPlan, problem: Problem) -> SecretPlan:
    """Return the plan with its problem: refused for another program's fields, which stay named, failed otherwise."""
    if problem.code == "secret-conflict":
        named = f"{problem.message}: {', '.join(plan.differences)}" if plan.differences else problem.message
        return _refuse(plan, replace(problem, message=named))
    return replace(_refuse(plan, problem), outcome=Outcome.FAILED, differences=())


def _is_dry_run_unsupported(problem: Problem) -> bool:
    """Whether an admission webhook without support for dry runs refused it; that says nothing of a real write."""
    return problem.code == "cluster-rejected" and "dry run" in problem.message

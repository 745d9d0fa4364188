"""The cluster: planning and applying the pull secret, one namespace at a time.

To plan and apply where namespaces are named, nothing more is asked of it than get, create and patch on secrets there,
and get and patch on the service accounts named; what else is listed is left out where it may not be. Import this module
where it is needed: lightkube costs a quarter of a second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview

from harbor_agent.errors import AgentError, Problem
from harbor_agent.formats.object_names import check_names
from harbor_agent.formats.pull_secret import not_ours, of_another_registry, plan_for
from harbor_agent.kubernetes.client import open_client
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.namespaces import chosen_namespaces
from harbor_agent.kubernetes.pods import pods_to_recreate
from harbor_agent.kubernetes.secrets import delete_secret, list_ours, read_secret, write_secret
from harbor_agent.kubernetes.service_accounts import attach, attached_accounts, detach, plan_attachment
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import ALL_NAMESPACES, SecretAction, SecretPlan, SecretResult, ServiceAccountResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from lightkube import Client

    from harbor_agent.formats.pull_secret import ObservedSecret
    from harbor_agent.kubernetes.secrets import NamedSecret
    from harbor_agent.model.address import Address
    from harbor_agent.model.secret import Namespaces, SecretSpec

_ATTEMPTS = 10
_NOT_REACHED = frozenset(
    {
        "cluster-unreachable",
        "cluster-timeout",
        "cluster-answer-invalid",
        "cluster-unauthorized",
        "kubeconfig-login-failed",
        "kubeconfig-plugin-missing",
    }
)


def open_cluster(kubeconfig: str | None = None, context: str | None = None, *, timeout: float = 10.0) -> Cluster:
    """Return the cluster after one question that every user may ask, so that a dead one is known at once.

    `timeout` is seconds for each step of a request. Raises UsageError `kubeconfig-missing` or `kubeconfig-invalid`,
    AgentError `cluster-unreachable`, `cluster-timeout`, `cluster-unauthorized`, `cluster-answer-invalid`,
    `kubeconfig-login-failed` or `kubeconfig-plugin-missing`.
    """
    client = open_client(kubeconfig, context, timeout=timeout)
    review = SelfSubjectAccessReview(
        spec=SelfSubjectAccessReviewSpec(
            resourceAttributes=ResourceAttributes(verb="get", resource="secrets", namespace=client.namespace)
        )
    )
    intent = Intent(verb="create", resource="selfsubjectaccessreviews", name="", namespace=client.namespace)
    answer = attempt(intent, lambda: client.create(review))
    if isinstance(answer, Problem) and answer.code in _NOT_REACHED:
        client.close()
        raise AgentError(answer)
    return Cluster(client)


class Cluster:
    """An open cluster; a context manager. Trouble with one namespace is in its result and never raised."""

    def __init__(self, client: Client) -> None:
        """Take over the client, which `close` closes."""
        self._client = client

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def namespaces(self, wanted: Namespaces) -> tuple[str, ...] | Problem:
        """Return the namespaces that are meant; asks the cluster only where names alone do not tell."""
        return chosen_namespaces(self._client, wanted)

    def ours(self, namespace: str) -> tuple[NamedSecret, ...] | Problem:
        """Return the secrets that this tool made in a namespace, "*" for all of them; takes the right to list."""
        wrong = None if namespace == ALL_NAMESPACES else check_names(namespace=namespace)
        return wrong or list_ours(self._client, namespace)

    def attached(self, namespace: str, secret: str) -> tuple[str, ...] | Problem:
        """Return the service accounts that this tool attached the secret to; takes the right to list them."""
        return attached_accounts(self._client, namespace, secret)

    def plan_secret(self, spec: SecretSpec, namespace: str) -> SecretPlan:
        """Return what `apply_secret` would do, tried on the server as a dry run: nothing is changed.

        So a missing namespace, one that is being deleted, a missing right, a quota or a conflict shows in the plan. Dry
        runs need Kubernetes 1.13 or later.
        """
        plan, observed = self._decide(spec, namespace)
        if plan.outcome is Outcome.CHANGE:
            problem = write_secret(self._client, spec, namespace, observed, dry_run=True)
            if problem and problem.code != "cluster-conflict" and not _knows_no_dry_run(problem):
                plan = _failed(plan, problem)
        if plan.outcome not in {Outcome.CHANGE, Outcome.UNCHANGED}:
            return plan
        accounts = [plan_attachment(self._client, namespace, name, spec.name) for name in spec.service_accounts]
        return replace(plan, service_accounts=tuple(accounts), warnings=self._older_pods(spec, namespace, accounts))

    def apply_secret(self, spec: SecretSpec, namespace: str) -> SecretResult:
        """Create or update the secret, or leave it alone; then attach it to the service accounts.

        Decides again on what is there now, and again where somebody writes at the same time.
        """
        plan = self._apply_once(spec, namespace)
        for _ in range(_ATTEMPTS):
            if not plan.problem or plan.problem.code != "cluster-conflict":
                break
            plan = self._apply_once(spec, namespace)
        result = SecretResult(
            namespace=namespace, name=spec.name, outcome=plan.outcome, action=plan.action, problem=plan.problem
        )
        if plan.outcome not in {Outcome.CHANGED, Outcome.UNCHANGED}:
            return result
        accounts = [attach(self._client, namespace, name, spec.name) for name in spec.service_accounts]
        return replace(result, service_accounts=tuple(accounts), warnings=self._older_pods(spec, namespace, accounts))

    def plan_removal(self, name: str, namespace: str, address: Address) -> SecretPlan:
        """Return what `remove_secret` would do; nothing is changed."""
        plan = SecretPlan(namespace=namespace, name=name, outcome=Outcome.CHANGE, action=SecretAction.REMOVE)
        wrong = check_names(namespace=namespace, secret=name)
        if wrong:
            return replace(_failed(plan, wrong), outcome=Outcome.REFUSED)
        observed = read_secret(self._client, namespace, name)
        accounts = attached_accounts(self._client, namespace, name)
        if isinstance(observed, Problem):
            return _failed(plan, observed)
        if isinstance(accounts, Problem):
            return _failed(plan, accounts)
        another = observed and of_another_registry(name, namespace, observed, address)
        would = tuple(ServiceAccountResult(name=a, outcome=Outcome.CHANGE) for a in accounts if another is None)
        plan = replace(plan, service_accounts=would, reason="the secret goes")
        if observed is None:
            return replace(plan, outcome=Outcome.UNCHANGED, action=SecretAction.NONE, reason="there is no such secret")
        if another or not observed.is_ours:
            return _left(plan, another or not_ours(name, namespace))
        return plan

    def remove_secret(self, name: str, namespace: str, address: Address) -> SecretResult:
        """Take the secret out of the service accounts that we put it into, then delete it if we made it.

        One that holds logins, but none for `address`, is left alone: it may have been switched to another registry.
        """
        plan = self.plan_removal(name, namespace, address)
        result = SecretResult(
            namespace=namespace, name=name, outcome=plan.outcome, action=plan.action, problem=plan.problem
        )
        accounts = tuple(detach(self._client, namespace, account.name, name) for account in plan.service_accounts)
        result = replace(result, service_accounts=accounts)
        if plan.outcome is not Outcome.CHANGE:
            return result
        kept = next((account.problem for account in accounts if account.problem), None)
        problem = kept or delete_secret(self._client, namespace, name)
        if problem:
            return replace(result, outcome=Outcome.FAILED, action=SecretAction.NONE, problem=problem)
        return replace(result, outcome=Outcome.CHANGED)

    def _older_pods(
        self, spec: SecretSpec, namespace: str, accounts: Sequence[ServiceAccountResult]
    ) -> tuple[Problem, ...]:
        names = {account.name for account in accounts if account.problem is None}
        warning = pods_to_recreate(self._client, spec, namespace, names) if names else None
        return (warning,) if warning else ()

    def _apply_once(self, spec: SecretSpec, namespace: str) -> SecretPlan:
        plan, observed = self._decide(spec, namespace)
        if plan.outcome is not Outcome.CHANGE:
            return plan
        problem = write_secret(self._client, spec, namespace, observed, dry_run=False)
        return _failed(plan, problem) if problem else replace(plan, outcome=Outcome.CHANGED)

    def _decide(self, spec: SecretSpec, namespace: str) -> tuple[SecretPlan, ObservedSecret | None]:
        plan = SecretPlan(namespace=namespace, name=spec.name, outcome=Outcome.CHANGE)
        problem = check_names(namespace=namespace, secret=spec.name, service_accounts=spec.service_accounts)
        if problem:
            return replace(plan, outcome=Outcome.REFUSED, reason=problem.message, problem=problem), None
        observed = read_secret(self._client, namespace, spec.name)
        if isinstance(observed, Problem):
            return _failed(plan, observed), None
        return plan_for(spec, namespace, observed), observed


def _left(plan: SecretPlan, problem: Problem) -> SecretPlan:
    return replace(plan, outcome=Outcome.SKIPPED, action=SecretAction.NONE, reason=problem.message, problem=problem)


def _failed(plan: SecretPlan, problem: Problem) -> SecretPlan:
    outcome = Outcome.REFUSED if problem.code == "secret-conflict" else Outcome.FAILED
    differences = plan.differences if problem.code == "secret-conflict" else ()
    return replace(
        plan,
        outcome=outcome,
        action=SecretAction.NONE,
        reason=problem.message,
        problem=problem,
        differences=differences,
    )


def _knows_no_dry_run(problem: Problem) -> bool:
    """Whether an admission webhook that does not support dry runs stood in the way; it says nothing of the real one."""
    return problem.code == "cluster-rejected" and "dry run" in problem.message

"""The cluster: planning and applying the pull secret, one namespace at a time.

Nothing more is asked of it than get, create and patch on secrets in that namespace, and get and patch on the
service accounts named; nothing is listed and no namespace is read. Import this module where it is needed: lightkube
costs a quarter of a second.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Self, cast

from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from agent.cluster.api_problems import Intent, attempt
from agent.cluster.kubeconfig import open_client
from agent.cluster.secrets import (
    PAYLOAD_KEY,
    ObservedSecret,
    masked,
    name_problem,
    plan_for,
    secret_manifest,
    secret_patch,
)
from agent.cluster.service_accounts import attach, plan_attachment
from agent.errors import AgentError, Problem
from agent.model.result import Outcome
from agent.model.secret import SecretAction, SecretPlan, SecretResult

if TYPE_CHECKING:
    from types import TracebackType

    from lightkube import Client

    from agent.model.secret import SecretSpec

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

    def plan_secret(self, spec: SecretSpec, namespace: str) -> SecretPlan:
        """Return what `apply_secret` would do, tried on the server as a dry run: nothing is changed.

        So a missing namespace, one that is being deleted, a missing right or a quota shows in the plan. Dry runs
        need Kubernetes 1.13 or later.
        """
        plan, observed = self._decide(spec, namespace)
        if plan.outcome is Outcome.CHANGE:
            problem = self._write(spec, plan, observed, dry_run=True)
            if problem and problem.code != "cluster-conflict" and not _knows_no_dry_run(problem):
                plan = _failed(plan, problem)
        if plan.outcome not in {Outcome.CHANGE, Outcome.UNCHANGED}:
            return plan
        accounts = [plan_attachment(self._client, namespace, name, spec.name) for name in spec.service_accounts]
        return replace(plan, service_accounts=tuple(accounts))

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
        return replace(result, service_accounts=tuple(accounts))

    def _apply_once(self, spec: SecretSpec, namespace: str) -> SecretPlan:
        plan, observed = self._decide(spec, namespace)
        if plan.outcome is not Outcome.CHANGE:
            return plan
        problem = self._write(spec, plan, observed, dry_run=False)
        return _failed(plan, problem) if problem else replace(plan, outcome=Outcome.CHANGED)

    def _decide(self, spec: SecretSpec, namespace: str) -> tuple[SecretPlan, ObservedSecret | None]:
        plan = SecretPlan(namespace=namespace, name=spec.name, outcome=Outcome.CHANGE)
        problem = name_problem(spec, namespace)
        if problem:
            return replace(plan, outcome=Outcome.REFUSED, reason=problem.message, problem=problem), None
        intent = Intent(verb="get", resource="secrets", name=spec.name, namespace=namespace)
        found = attempt(intent, lambda: self._client.get(Secret, spec.name, namespace=namespace))
        if isinstance(found, Problem) and found.code != "cluster-not-found":
            return _failed(plan, found), None
        observed = None if isinstance(found, Problem) else _observed(found)
        return plan_for(spec, namespace, observed), observed

    def _write(
        self, spec: SecretSpec, plan: SecretPlan, observed: ObservedSecret | None, *, dry_run: bool
    ) -> Problem | None:
        done: Secret | Problem
        if observed is None:
            intent = Intent(verb="create", resource="secrets", name=spec.name, namespace=plan.namespace)
            wanted = cast("Secret", Secret.from_dict(secret_manifest(spec, plan.namespace)))
            done = attempt(intent, lambda: self._client.create(wanted, dry_run=dry_run))
        else:
            intent = Intent(verb="patch", resource="secrets", name=spec.name, namespace=plan.namespace)
            patch = secret_patch(spec, observed)
            done = attempt(
                intent,
                lambda: self._client.patch(
                    Secret,
                    spec.name,
                    patch,
                    namespace=plan.namespace,
                    patch_type=PatchType.MERGE,
                    dry_run=dry_run,
                ),
            )
        return replace(done, message=masked(done.message, spec)) if isinstance(done, Problem) else None


def _failed(plan: SecretPlan, problem: Problem) -> SecretPlan:
    return replace(
        plan, outcome=Outcome.FAILED, action=SecretAction.NONE, reason=problem.message, problem=problem, differences=()
    )


def _knows_no_dry_run(problem: Problem) -> bool:
    """Whether an admission webhook that does not support dry runs stood in the way; it says nothing of the real one."""
    return problem.code == "cluster-rejected" and "dry run" in problem.message


def _observed(secret: Secret) -> ObservedSecret:
    metadata = secret.metadata or ObjectMeta()
    encoded = (secret.data or {}).get(PAYLOAD_KEY)
    try:
        payload = base64.b64decode(encoded) if encoded is not None else None
    except binascii.Error:
        payload = None
    return ObservedSecret(
        type=secret.type or "Opaque",
        payload=payload,
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        immutable=bool(secret.immutable),
        resource_version=metadata.resourceVersion or "",
    )

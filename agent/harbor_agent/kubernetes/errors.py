"""Errors of the Kubernetes API as problems with a code, a message and a hint."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from lightkube import ApiError

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.rbac import Rule, build_role_hint, describe_missing_right
from harbor_agent.kubernetes.unreachable import TROUBLE, describe_busy, describe_unreachable, is_busy

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

_LONGEST_DETAIL = 500
# Both in whole, so that a policy's sentence with "cannot create resource" in it is not taken for a missing right.
_RBAC = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group')
_WEBHOOK = re.compile(r'(?:admission webhook|failed calling webhook) "(?P<name>[^"]+)"')
_ONE_OF = {"serviceaccounts": "service account", "pods/eviction": "pod"}
# All verbs that harbor-agent uses on a resource, so that one grant suffices.
_RIGHTS = {
    "secrets": ("get", "create", "patch"),
    "serviceaccounts": ("get", "patch"),
    "namespaces": ("list",),
    "nodes": ("get", "list"),
    "configmaps": ("get", "create", "patch", "delete"),
    "leases": ("get", "create", "update"),
}
_GROUPS = {"deployments": "apps", "daemonsets": "apps", "leases": "coordination.k8s.io"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A request to the API: a verb and the plural of a resource, as in a Role, on one name.

    `name` is "" for a list. `namespace` is "" for a cluster-wide resource and for all namespaces.
    """

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as a clause, such as "list secrets in namespace demo"."""
        return f"{self.verb} {self.resource}{self._suffix}"

    @property
    def thing(self) -> str:
        """The object that the request is about, such as "secret harbor-pull in namespace demo"."""
        if not self.name:
            return self.resource + self._suffix
        return f"{_ONE_OF.get(self.resource, self.resource.removesuffix('s'))} {self.name}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return f" in namespace {self.namespace}" if self.namespace else ""


def attempt(intent: Intent, call: Callable[[], _T]) -> _T | Problem:
    """Return the result of `call`, or its failure as a problem, which may quote the server's message."""
    try:
        return call()
    except ApiError as error:
        return _describe_refusal(intent, error)
    except TROUBLE as error:
        return describe_unreachable(error)


def _describe_refusal(intent: Intent, error: ApiError) -> Problem:
    message = (error.status.message or "")[:_LONGEST_DETAIL]
    match error.status.code:
        case 401:
            return Problem(
                code="cluster-unauthorized",
                message="the cluster rejects the credentials in the kubeconfig",
                hint="the token or certificate may have expired; try `kubectl auth can-i get secrets`",
            )
        case 403:
            return _describe_forbidden(intent, error, message)
        case 404:
            return _describe_missing(intent, error)
        case 409:
            return Problem(
                code="cluster-conflict",
                message=f"another client changed {intent.thing} at the same time",
                hint="run the command again; if it fails again, find the other client with "
                "kubectl get -o yaml --show-managed-fields",
            )
        case code:
            if is_busy(error.response):
                return describe_busy(f"HTTP {code}: {message}")
            return _describe_rejection(intent, f" (HTTP {code})", message)


def _describe_rejection(intent: Intent, status: str, message: str) -> Problem:
    """Quote the server; a webhook that refuses is somebody's policy, and they know why."""
    webhook = _WEBHOOK.search(message)
    hint = ""
    if webhook:
        hint = (
            f"webhook {webhook['name']} refused it, no right is missing; find out who runs it: kubectl get "
            f"validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml | grep {webhook['name']}"
        )
    return Problem(code="cluster-rejected", message=f"the cluster refused to {intent}{status}: {message}", hint=hint)


def _describe_forbidden(intent: Intent, error: ApiError, message: str) -> Problem:
    causes = (error.status.details and error.status.details.causes) or []
    # servers before 1.20 send no cause
    if any(cause.reason == "NamespaceTerminating" for cause in causes) or "because it is being terminated" in message:
        return Problem(
            code="namespace-terminating",
            message=f"namespace {intent.namespace} is being deleted and accepts no new objects",
            hint="wait until it is deleted and create it again, or leave it out",
        )
    missing = None if _WEBHOOK.search(message) else _RBAC.search(message)
    is_cut = message.endswith("is forbidden: ")  # 1.20, if the second right, create, is missing
    if missing is None and not is_cut:  # a quota, an admission webhook
        return _describe_rejection(intent, "", message)
    if missing and missing["verb"] == "impersonate":  # the kubeconfig has `as`
        intent = Intent(verb="impersonate", resource=missing["resource"])
    elif missing:
        intent = replace(intent, verb=missing["verb"])  # an apply that creates needs two
    user = missing["user"] if missing else ""
    return Problem(
        code="cluster-forbidden",
        message=describe_missing_right(user, str(intent)),
        hint=_build_role_hint(intent, user or "USER"),
    )


def _build_role_hint(intent: Intent, user: str) -> str:
    verbs = tuple(dict.fromkeys([*_RIGHTS.get(intent.resource, ()), intent.verb]))
    rule = Rule(group=_GROUPS.get(intent.resource, ""), resource=intent.resource, verbs=verbs)
    return build_role_hint(f"harbor-agent-{intent.resource}", (rule,), namespace=intent.namespace, user=user)


def _describe_missing(intent: Intent, error: ApiError) -> Problem:
    kind = (error.status.details and error.status.details.kind) or ""
    if kind == "namespaces":
        return Problem(
            code="namespace-missing",
            message=f"namespace {intent.namespace} does not exist",
            hint=f"check the name, or create it: kubectl create namespace {intent.namespace}",
        )
    if intent.resource == "serviceaccounts":
        return Problem(
            code="service-account-missing",
            message=f"service account {intent.name} does not exist in namespace {intent.namespace}",
            hint=f"check both names, or create it: kubectl -n {intent.namespace} create serviceaccount {intent.name}",
        )
    return Problem(
        code="cluster-not-found",
        message=f"the cluster has no {intent.thing}",
        hint="check that this is the right cluster, and run the command again",
    )

"""What an error of the Kubernetes API means to an operator."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import httpx2
import msgspec
from lightkube import ApiError
from lightkube.core.exceptions import ConfigError, LoadResourceError

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.rbac import Rule, role_hint

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

# Beside HTTP errors: OSError for an exec plugin that is not there or a token file that went, ValueError, KeyError and
# MsgspecError for an answer that is no Kubernetes object (lightkube decodes it unchecked).
_TROUBLE = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ConfigError,
    LoadResourceError,
    OSError,
    ValueError,
    KeyError,
    msgspec.MsgspecError,
)
_LONGEST_DETAIL = 500
_ONE_OF = {"serviceaccounts": "service account", "pods/eviction": "pod"}
# What a resource is ever asked for, so that one grant suffices.
_RIGHTS = {
    "secrets": ("get", "create", "patch"),
    "serviceaccounts": ("get", "patch"),
    "namespaces": ("list",),
    "nodes": ("get", "list"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is asked of the API: a verb and the plural of a resource, as in a Role, on one name.

    `name` is "" for many, `namespace` for what has none and for all of them.
    """

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as a Role's author would say it."""
        return f"verb {self.verb} on {self.resource}{self._where}"

    @property
    def thing(self) -> str:
        """What it is asked of, by its name."""
        if not self.name:
            return self.resource + self._where
        return f"{_ONE_OF.get(self.resource, self.resource.removesuffix('s'))} {self.name}{self._where}"

    @property
    def _where(self) -> str:
        return f" in namespace {self.namespace}" if self.namespace else ""


def attempt(intent: Intent, call: Callable[[], _T]) -> _T | Problem:
    """Return what `call` returns, or what its failure means. The problem may quote the server's words."""
    try:
        return call()
    except ApiError as error:
        return _refused(intent, error)
    except _TROUBLE as error:
        return _unreached(error)


def _refused(intent: Intent, error: ApiError) -> Problem:
    message = (error.status.message or "")[:_LONGEST_DETAIL]
    match error.status.code:
        case 401:
            return Problem(
                code="cluster-unauthorized",
                message="the cluster does not accept the kubeconfig's login",
                hint="its token or certificate may have expired: try `kubectl auth can-i get secrets`",
            )
        case 403:
            return _forbidden(intent, error, message)
        case 404:
            return _not_found(intent, error)
        case 409:
            return Problem(
                code="cluster-conflict",
                message=f"somebody else changes {intent.thing} at the same time",
                hint="run it again; if it stays so, see by whom: kubectl get -o yaml --show-managed-fields",
            )
        case code:
            return Problem(code="cluster-rejected", message=f"the cluster refused {intent} (HTTP {code}): {message}")


def _forbidden(intent: Intent, error: ApiError, message: str) -> Problem:
    causes = (error.status.details and error.status.details.causes) or []
    # the cause came with 1.20; the sentence is older
    if any(cause.reason == "NamespaceTerminating" for cause in causes) or "because it is being terminated" in message:
        return Problem(
            code="namespace-terminating",
            message=f"namespace {intent.namespace} is being deleted and takes nothing new",
            hint="wait until it is gone and create it again, or leave it out",
        )
    verb = re.search(r"cannot (\w+) resource", message)  # an apply that creates needs two
    speechless = message.endswith("is forbidden: ")  # what 1.20 says where it is the second, create, that is missing
    if verb is None and not speechless:  # a quota, an admission webhook
        return Problem(code="cluster-rejected", message=f"the cluster refused {intent}: {message}")
    intent = replace(intent, verb=verb[1]) if verb else intent
    who = re.search(r'User "([^"]+)"', message)
    return Problem(
        code="cluster-forbidden",
        message=f"needs {intent}" + (f", which {who[1]} has not" if who else ""),
        hint=_role_hint(intent, who[1] if who else "USER"),
    )


def _role_hint(intent: Intent, user: str) -> str:
    verbs = tuple(dict.fromkeys([*_RIGHTS.get(intent.resource, ()), intent.verb]))
    rule = Rule(resource=intent.resource, verbs=verbs)
    return role_hint(f"harbor-agent-{intent.resource}", (rule,), namespace=intent.namespace, user=user)


def _not_found(intent: Intent, error: ApiError) -> Problem:
    kind = (error.status.details and error.status.details.kind) or ""
    if kind == "namespaces":
        return Problem(
            code="namespace-missing",
            message=f"there is no namespace {intent.namespace}",
            hint=f"kubectl create namespace {intent.namespace}, or check the name",
        )
    if intent.resource == "serviceaccounts":
        return Problem(
            code="service-account-missing",
            message=f"there is no service account {intent.name} in namespace {intent.namespace}",
            hint=f"kubectl -n {intent.namespace} create serviceaccount {intent.name}, or check both names",
        )
    return Problem(
        code="cluster-not-found",
        message=f"there {'is' if intent.name else 'are'} no {intent.thing}",
        hint="run it again; if it stays so, find out who deletes it, and whether this is the right cluster",
    )


def _unreached(error: Exception) -> Problem:
    if isinstance(error, httpx2.TimeoutException):
        return Problem(
            code="cluster-timeout",
            message="the cluster did not answer in time",
            hint="check that its API server is reachable from here",
        )
    if isinstance(error, ConfigError):
        return Problem(
            code="kubeconfig-login-failed",
            message=f"the kubeconfig's login cannot be used: {str(error)[:_LONGEST_DETAIL]}",
            hint="try `kubectl version` with the same kubeconfig",
        )
    if isinstance(error, FileNotFoundError):
        return Problem(
            code="kubeconfig-plugin-missing",
            message=f"the kubeconfig's login needs {error.filename}, which is not installed here",
            hint="install it, or use a kubeconfig with a token or certificate",
        )
    if said := _of_token(error):
        return Problem(
            code="kubeconfig-login-failed", message=said, hint="try `kubectl version` with the same kubeconfig"
        )
    if isinstance(error, httpx2.HTTPError | OSError) and not isinstance(error, httpx2.HTTPStatusError):
        return Problem(
            code="cluster-unreachable",
            message=f"the cluster cannot be asked: {error}",
            hint="check the server's address in the kubeconfig, and that it is reachable from here",
        )
    return Problem(
        code="cluster-answer-invalid",
        message="what answers is no Kubernetes API",
        hint="check the server's address in the kubeconfig, and proxies on the way",
    )


def _of_token(error: Exception) -> str:
    """Return what is wrong with the login's token, "" where it is not that; what h11 says would quote it."""
    if isinstance(error, httpx2.LocalProtocolError):
        return "the kubeconfig's token holds a blank or a line end, which no request can carry"
    if isinstance(error, KeyError) and error.args == ("token",):  # lightkube reads status.token
        return "the kubeconfig's login plugin gave no token; one that gives a client certificate is not supported"
    return ""

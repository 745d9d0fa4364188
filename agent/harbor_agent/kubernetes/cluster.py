"""An open cluster: its namespaces, and the pull secrets of ours in it.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview

from harbor_agent.errors import AgentError, Problem
from harbor_agent.formats.object_names import check_names
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.kubeconfig.client import open_client
from harbor_agent.kubernetes.namespaces import list_namespaces
from harbor_agent.kubernetes.secrets import list_labelled
from harbor_agent.kubernetes.service_accounts import list_attached_accounts
from harbor_agent.model.policy import CONTEXT_NAMESPACE
from harbor_agent.model.secret import ALL_NAMESPACES

if TYPE_CHECKING:
    from types import TracebackType

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.kubernetes.secrets import NamedSecret
    from harbor_agent.model.secret import Namespaces

_NOT_REACHED = frozenset(
    {
        "cluster-unreachable",
        "cluster-timeout",
        "cluster-busy",
        "cluster-certificate",
        "cluster-answer-invalid",
        "cluster-unauthorized",
        "kubeconfig-login-failed",
        "kubeconfig-plugin-missing",
    }
)


def open_cluster(kubeconfig: str | None = None, context: str | None = None, *, timeout: float = 10.0) -> Cluster:
    """Return the cluster after one request that every user may make, so that a dead one is noticed at once.

    `timeout` is seconds for each step of a request. Raises UsageError `kubeconfig-missing` or `kubeconfig-invalid`,
    AgentError `cluster-unreachable`, `cluster-certificate`, `cluster-timeout`, `cluster-busy`, `cluster-unauthorized`,
    `cluster-answer-invalid`, `kubeconfig-login-failed` or `kubeconfig-plugin-missing`.
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
    """An open cluster; a context manager. Errors are returned as a `Problem`, never raised."""

    def __init__(self, client: ApiClient) -> None:
        """Take over the client, which `close` closes."""
        self.client = client

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
        self.client.close()

    @property
    def server(self) -> str:
        """The URL of the API server and a digest of its CA, by which this controller distinguishes clusters.

        Through tunnels, several clusters have the same URL.
        """
        cluster = self.client.config.cluster
        if cluster.certificate_auth_data:
            authority = base64.b64decode(cluster.certificate_auth_data)
        else:
            authority = Path(cluster.certificate_auth).read_bytes() if cluster.certificate_auth else b""
        return " ".join([cluster.server, *([hashlib.sha256(authority).hexdigest()[:16]] if authority else [])])

    def name_context(self, selection: Namespaces) -> Namespaces:
        """Return the selection with the name of the context's namespace, which may be another one tomorrow."""
        names = (self.client.namespace if name == CONTEXT_NAMESPACE else name for name in selection.names)
        return replace(selection, names=tuple(dict.fromkeys(names)))

    def read_version(self) -> str | Problem:
        """Return the version of the API server, such as "v1.20.2"."""
        found = attempt(Intent(verb="get", resource="version"), lambda: self.client.read_document("version"))
        if isinstance(found, Problem):
            return found
        return str(found.get("gitVersion", "")) if isinstance(found, dict) else ""

    def namespaces(self, selection: Namespaces) -> tuple[str, ...] | Problem:
        """Return the namespaces selected; sends a request only if names alone do not say."""
        return list_namespaces(self.client, selection)

    def labelled(self, namespace: str) -> tuple[NamedSecret, ...] | Problem:
        """Return the secrets with our label in a namespace, "*" for all; needs the right to list secrets.

        Not all are ours: others copy secrets with their labels (`ObservedSecret.is_ours`).
        """
        invalid = None if namespace == ALL_NAMESPACES else check_names(namespace=namespace)
        return invalid or list_labelled(self.client, namespace)

    def attached(self, namespace: str, secret: str) -> tuple[str, ...] | Problem:
        """Return the service accounts that this tool attached the secret to; needs the right to list them."""
        return list_attached_accounts(self.client, namespace, secret)

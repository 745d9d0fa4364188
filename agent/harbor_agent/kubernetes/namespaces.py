"""The namespaces that a selection means: by name, by label, or all except some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightkube.resources.core_v1 import Namespace

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.policy import CONTEXT_NAMESPACE
from harbor_agent.model.secret import ALL_NAMESPACES

if TYPE_CHECKING:
    from datetime import datetime

    from lightkube import Client
    from lightkube.core.client import LabelSelector

    from harbor_agent.model.secret import Namespaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Incarnation:
    """Which of the namespaces that had a name it is, by its UID, and when it was created; "" and None if not known."""

    uid: str = ""
    created: datetime | None = None


def list_namespaces(client: Client, selection: Namespaces) -> tuple[str, ...] | Problem:
    """Return the namespaces selected, those given by name first, each once.

    Only a selection of all, or by label, is a request to the cluster. It needs the right to list namespaces, and
    leaves out those that are being deleted.
    """
    names = [name for name in selection.names if name != ALL_NAMESPACES]
    names = [client.namespace if name == CONTEXT_NAMESPACE else name for name in names]
    if selection.needs_the_cluster:
        # lightkube writes a key without a value as it is, so a whole selector can be passed as a key
        labels: LabelSelector | None = None if ALL_NAMESPACES in selection.names else {selection.selector: None}
        intent = Intent(verb="list", resource="namespaces")
        found = attempt(intent, lambda: tuple(client.list(Namespace, labels=labels)))
        if isinstance(found, Problem):
            return found
        names += [_read_name(one) for one in found if not (one.status and one.status.phase == "Terminating")]
    return tuple(name for name in dict.fromkeys(names) if name not in selection.excluded)


def find_incarnation(client: Client, namespace: str) -> Incarnation | Problem:
    """Return what is known of a namespace if the user may read it; `namespace-missing` or `namespace-terminating`."""
    found = attempt(
        Intent(verb="get", resource="namespaces", namespace=namespace), lambda: client.get(Namespace, namespace)
    )
    if isinstance(found, Problem):
        return found if found.code == "namespace-missing" else Incarnation()
    if found.status and found.status.phase == "Terminating":
        return Problem(
            code="namespace-terminating",
            message=f"namespace {namespace} is being deleted",
            hint="wait until it is deleted, or leave it out",
        )
    metadata = found.metadata
    return Incarnation(uid=metadata.uid or "", created=metadata.creationTimestamp) if metadata else Incarnation()


def _read_name(namespace: Namespace) -> str:
    return (namespace.metadata and namespace.metadata.name) or ""

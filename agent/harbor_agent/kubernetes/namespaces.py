"""Which namespaces a secret is wanted in: by name, by label, all but some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightkube.resources.core_v1 import Namespace

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.secret import ALL_NAMESPACES

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.core.client import LabelSelector

    from harbor_agent.model.secret import Namespaces


def chosen_namespaces(client: Client, wanted: Namespaces) -> tuple[str, ...] | Problem:
    """Return the namespaces, those given by name first, each once.

    Only where all, or some by label, are wanted is the cluster asked, which takes the right to list namespaces; those
    that are being deleted are left out then.
    """
    names = [name for name in wanted.names if name != ALL_NAMESPACES]
    if wanted.needs_the_cluster:
        # a key that must exist is written as it is, and so is a whole selector in its place
        labels: LabelSelector | None = None if ALL_NAMESPACES in wanted.names else {wanted.selector: None}
        intent = Intent(verb="list", resource="namespaces")
        found = attempt(intent, lambda: tuple(client.list(Namespace, labels=labels)))
        if isinstance(found, Problem):
            return found
        names += [_name(one) for one in found if not (one.status and one.status.phase == "Terminating")]
    return tuple(name for name in dict.fromkeys(names) if name not in wanted.excluded)


def _name(namespace: Namespace) -> str:
    return (namespace.metadata and namespace.metadata.name) or ""

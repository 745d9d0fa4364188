"""Names of a cluster for completion: from the kubeconfig, and namespaces from the API if it answers at once."""

from __future__ import annotations

from harbor_agent.errors import AgentError
from harbor_agent.model.secret import ALL_NAMESPACES, Namespaces

_TIMEOUT = 1.0  # seconds for each step of a request, while a person waits for the shell


def list_contexts(kubeconfig: str | None) -> list[tuple[str, str]]:
    """Return the contexts of a kubeconfig, or of the one that kubectl reads, each with its cluster.

    Raises AgentError, OSError.
    """
    from harbor_agent.kubernetes.kubeconfig.files import find_files, read_files  # noqa: PLC0415 - as below

    merged = read_files(find_files(kubeconfig))
    return [(name, f"cluster {context.get('cluster', '')}") for name, context in merged.contexts.items()]


def list_cluster_namespaces(kubeconfig: str | None, context: str | None) -> list[str]:
    """Return the namespaces of the cluster; only that of the context if the API does not answer within seconds.

    A login that a plugin makes is not tried: it could ask something. Raises AgentError, OSError.
    """
    from harbor_agent.kubernetes.kubeconfig.files import find_files, read_files  # noqa: PLC0415 - slow to import

    merged = read_files(find_files(kubeconfig))
    _, chosen = merged.choose_context(context)
    own = [str(chosen["namespace"])] if chosen.get("namespace") else []
    user = merged.users.get(str(chosen.get("user")), {})
    if user.get("exec") or user.get("auth-provider"):
        return own
    from harbor_agent.kubernetes.kubeconfig.client import open_client  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.namespaces import list_namespaces  # noqa: PLC0415

    try:
        client = open_client(kubeconfig, context, timeout=_TIMEOUT)
        found = list_namespaces(client, Namespaces(names=(ALL_NAMESPACES,)))
    except AgentError:
        return own
    return list(found) if isinstance(found, tuple) else own

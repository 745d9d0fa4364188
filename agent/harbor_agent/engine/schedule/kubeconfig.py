"""The kubeconfig of a cluster that is checked from another one, as a file that a pod can have."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from harbor_agent.errors import UsageError

_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def find_api_port(kubeconfig: str) -> int:
    """Return the port of the API server that a kubeconfig names.

    Raises UsageError if it cannot be read, or if it names a file or a program of this machine.
    """
    from harbor_agent.kubernetes.kubeconfig.files import find_files, read_files  # noqa: PLC0415 - slow to import

    merged = read_files(find_files(kubeconfig))
    _, context = merged.choose_context(None)
    cluster = merged.clusters.get(str(context.get("cluster")), {})
    user = merged.users.get(str(context.get("user")), {})
    named = [key for key in _FILES if (user.get(key) or cluster.get(key))]
    named += ["exec"] if user.get("exec") else []
    if named:
        raise UsageError.of(
            "schedule-not-portable",
            f"{merged.source} has {named[0]}, which is about this machine",
            "write one without it: kubectl config view --flatten --minify; for a login by a program, use a token",
        )
    return _parse_port(str(cluster.get("server", "")))


def _parse_port(server: str) -> int:
    try:
        parts = urlsplit(server if "//" in server else f"//{server}")
        port = parts.port
    except ValueError:
        return 443
    return port or (80 if parts.scheme == "http" else 443)

"""The cluster in which a check runs: its version, and the way from it to another one that is checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from harbor_agent.errors import AgentError, Problem, UsageError

_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_NEWEST = (1, 99)  # every version since 1.21 takes the same objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster in which a check runs: its version such as "1.20", else that of `kubeconfig`, and the image.

    `is_another` says that it is not the one that is checked, whose kubeconfig the pod gets as a file.
    """

    image: str
    is_another: bool = False
    version: str | None = None
    kubeconfig: str | None = None
    context: str | None = None


def find_version(target: Target) -> tuple[int, int]:
    """Return the version that is named, else the cluster's. Raises UsageError, AgentError if it does not answer."""
    if target.version is not None:
        return _parse_version(target.version, "--kube-version")
    if target.kubeconfig is None and target.context is None:
        return _NEWEST
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    with open_cluster(target.kubeconfig, target.context) as cluster:
        found = cluster.read_version()
    if isinstance(found, Problem):
        raise AgentError(found)
    return _parse_version(found, "the cluster's version")


def _parse_version(text: str, what: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", text)
    if match is None:
        raise UsageError.of("usage", f"{what}: '{text}' is not a version", "use a value such as 1.20")
    return int(match[1]), int(match[2])


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

"""The CA of a registry in dockerd's folder for it, which dockerd reads at every pull and login.

The folder is named by the image name's host[:port], letter by letter, and every *.crt in it counts beside the system's
(moby registry/registry.go, ReadCertsDirectory). So a file of our own name touches no other and is undone by a delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.text import decode
from harbor_agent.planning.docker.checks.certificates import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.planning.files.workspace import Workspace

_NAME = "harbor-agent.crt"


def build_path(entry: str) -> str:
    """Return the path of this tool's file for a registry, host[:port]."""
    return f"{FOLDER}/{entry}/{_NAME}"


def write_certificates(workspace: Workspace, certificates: Mapping[str, bytes]) -> Workspace:
    """Return the workspace in which each registry's CA (PEM) is in its folder. Raises RefusedError."""
    for entry, pem in certificates.items():
        path = build_path(entry)
        if workspace.file(path).content != pem:
            reason = f"the CA of {entry}, which dockerd reads at every pull"
            workspace = workspace.write(path, decode(pem), reason)
    return workspace


def delete_certificates(workspace: Workspace, entries: Iterable[str]) -> Workspace:
    """Return the workspace without this tool's files for these registries. Raises RefusedError."""
    for entry in entries:
        path = build_path(entry)
        if workspace.file(path).exists:
            workspace = workspace.delete(path, f"{entry} no longer has a CA of its own")
    return workspace

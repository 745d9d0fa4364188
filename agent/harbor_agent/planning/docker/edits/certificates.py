"""The certificates of a registry in dockerd's folder for it, which dockerd reads at every pull and login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.docker.checks.certificates import FOLDER
from harbor_agent.planning.files import certificates as shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.model.policy import RegistryCertificates
    from harbor_agent.planning.files.workspace import Workspace


def build_paths(entry: str) -> tuple[str, ...]:
    """Return the paths of this tool's files for a registry, host[:port]: CAs, client certificate and key."""
    return shared.build_certificate_paths(_build_folder(entry))


def write_certificates(workspace: Workspace, certificates: Mapping[str, RegistryCertificates]) -> Workspace:
    """Return the workspace with the certificates of each registry in its folder. Raises RefusedError."""
    return shared.write_certificates(workspace, certificates, _build_folder, "dockerd")


def delete_certificates(
    workspace: Workspace, entries: Iterable[str], certificates: Mapping[str, RegistryCertificates]
) -> Workspace:
    """Return the workspace without this tool's files that these registries no longer need. Raises RefusedError."""
    return shared.delete_certificates(workspace, entries, certificates, _build_folder)


def _build_folder(entry: str) -> str:
    return f"{FOLDER}/{entry}"

"""The certificates of a registry in a runtime's folder for it, which is read at every pull: one file each.

Docker, CRI-O and podman share the layout: the folder is named by the image name's host[:port], letter by letter, and
every *.crt in it counts beside the system's (moby registry/registry.go, ReadCertsDirectory; containers-certs.d(5)). So
a file of our own name touches no other and is undone by a delete.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.formats.text import decode
from harbor_agent.model.policy import RegistryCertificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harbor_agent.model.plan import FileChange
    from harbor_agent.planning.files.workspace import Workspace

_NAMES = ("harbor-agent.crt", "harbor-agent.cert", "harbor-agent.key")
_KEY_MODE = 0o600


def build_certificate_paths(folder: str) -> tuple[str, ...]:
    """Return the paths of this tool's files in the folder of a registry: CAs, client certificate and key."""
    return tuple(f"{folder}/{name}" for name in _NAMES)


def list_replaced_authorities(changes: Sequence[FileChange], entries: Iterable[str]) -> list[str]:
    """Return the registries for which the changes replace a CA of this tool by another one, for every runtime.

    k3s names the registry in the file (`harbor-agent-HOST_PORT.crt`), the others in its folder.
    """
    replaced = [change.path for change in changes if change.before.exists and change.after.exists]
    return [entry for entry in entries if any(path.endswith(_name_authorities(entry)) for path in replaced)]


def _name_authorities(entry: str) -> tuple[str, ...]:
    return f"/{entry}/{_NAMES[0]}", f"/harbor-agent-{re.sub('[^A-Za-z0-9.-]', '_', entry)}.crt"


def write_certificates(
    workspace: Workspace,
    certificates: Mapping[str, RegistryCertificates],
    find_folder: Callable[[str], str],
    daemon: str,
) -> Workspace:
    """Return the workspace with the certificates of each registry in its folder. Raises RefusedError."""
    for entry, wanted in certificates.items():
        authorities, client, key = build_certificate_paths(find_folder(entry))
        reason = f"the CA of {entry}, which {daemon} reads at every pull"
        workspace = _write(workspace, authorities, wanted.authorities, reason)
        reason = f"the client certificate for {entry}, which {daemon} reads at every pull"
        workspace = _write(workspace, key, wanted.key, reason, mode=_KEY_MODE)
        workspace = _write(workspace, client, wanted.client, reason)
    return workspace


def delete_certificates(
    workspace: Workspace,
    entries: Iterable[str],
    certificates: Mapping[str, RegistryCertificates],
    find_folder: Callable[[str], str],
) -> Workspace:
    """Return the workspace without this tool's files that these registries no longer need. Raises RefusedError."""
    for entry in entries:
        wanted = certificates.get(entry) or RegistryCertificates()
        contents = (wanted.authorities, wanted.client, wanted.key)
        for path, content in zip(build_certificate_paths(find_folder(entry)), contents, strict=True):
            if not content and workspace.file(path).exists:
                workspace = workspace.delete(path, f"{entry} no longer has this certificate or key in the settings")
    return workspace


def _write(workspace: Workspace, path: str, content: bytes, reason: str, *, mode: int = 0o644) -> Workspace:
    file = workspace.file(path)
    if not content or (file.content == content and file.mode == mode):
        return workspace
    return workspace.write(path, decode(content), reason, mode=mode)

"""The certificates of a registry in the folder that CRI-O and podman read for it (containers-certs.d(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.files.certificates import delete_certificates, write_certificates

if TYPE_CHECKING:
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.planning.files.workspace import Workspace

CERTIFICATES = "/etc/containers/certs.d"
DOCKER_CERTIFICATES = "/etc/docker/certs.d"


def change_certificates(workspace: Workspace, desired: DesiredState, name: str) -> Workspace:
    """Return the workspace with the certificates of the request, and without those that it no longer has."""

    def find_folder(entry: str) -> str:
        # The first of both that is there counts, also if it is empty.
        own, dockers = f"{CERTIFICATES}/{entry}", f"{DOCKER_CERTIFICATES}/{entry}"
        files = workspace.state.files
        is_dockers = dockers in files and files[dockers].exists and not (own in files and files[own].exists)
        return dockers if is_dockers else own

    named = (*desired.present, *desired.absent, *desired.secure)
    entries = [address.entry for address in named if address.literal is None]
    placed = write_certificates(workspace, desired.certificates, find_folder, name)
    return delete_certificates(placed, entries, desired.certificates, find_folder)

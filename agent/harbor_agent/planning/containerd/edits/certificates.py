"""The certificates of a registry over HTTPS, in the directory that containerd takes for it and reads at each pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.authorities import (
    AUTHORITIES,
    CLIENT,
    KEY,
    forget_certificates,
    name_certificates,
)
from harbor_agent.formats.containerd.hosts import Server, render_servers, render_with_hosts_of
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.model.plan import Route
from harbor_agent.model.policy import RegistryCertificates
from harbor_agent.planning.containerd.edits.earlier import restore_hosts_file
from harbor_agent.planning.containerd.edits.opening import Placement, open_directories
from harbor_agent.planning.containerd.edits.tls import delete_tls_settings, has_tls_settings, write_tls_settings
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.hosts import HOSTS_FILE, find_directory, read_hosts_of
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.model.address import Address
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_KEY_MODE = 0o600
_READ = "which containerd reads at each pull"


def write_certificates(
    workspace: Workspace,
    effective: Effective,
    addresses: Iterable[Address],
    certificates: Mapping[str, RegistryCertificates],
) -> Placement:
    """Write the certificates of each registry that has some. Raises RefusedError if containerd would not read them."""
    placed = Placement(workspace=workspace, route=Route.CERTIFICATES, reason="")
    wanted = [address for address in addresses if address.entry in certificates]
    if not wanted:
        return placed
    if has_tls_settings(effective):
        workspace = write_tls_settings(workspace, effective, wanted, certificates)
        reason = "containerd has its registries as mirrors in its configuration, and TLS settings beside them"
        return Placement(workspace=workspace, route=Route.CONTAINERD_CONFIG, reason=reason)
    if not effective.roots:
        placed = open_directories(workspace, effective)
        workspace = placed.workspace
        effective = evaluate(workspace.state)
    for address in wanted:
        workspace = _write(workspace, effective, address, certificates[address.entry])
    reason = placed.reason or f"the certificates of {', '.join(one.entry for one in wanted)}, {_READ}"
    return Placement(workspace=workspace, route=placed.route, reason=reason, faults=placed.faults)


def delete_certificates(
    workspace: Workspace,
    effective: Effective,
    addresses: Iterable[Address],
    certificates: Mapping[str, RegistryCertificates],
) -> Workspace:
    """Delete this tool's certificates that these registries no longer need. Raises RefusedError."""
    if not effective.roots:
        return delete_tls_settings(workspace, effective, addresses, certificates)
    for address in addresses:
        kept = certificates.get(address.entry) or RegistryCertificates()
        directory = find_directory(workspace.state, effective, address)
        contents = {AUTHORITIES: kept.authorities, CLIENT: kept.client, KEY: kept.key}
        gone = [f"{directory.path}/{name}" for name, content in contents.items() if not content]
        gone = [path for path in gone if directory.is_own and workspace.file(path).exists]
        reason = f"{address.entry} no longer has this certificate or key in the settings"
        file = workspace.file(directory.file)
        restored = restore_hosts_file(workspace, directory.file, address, reason) if gone else None
        if restored and not (kept.authorities or kept.client):
            workspace = restored
        elif gone and file.content:
            try:
                content = forget_certificates(
                    file.content,
                    address,
                    effective.version,
                    authorities=bool(kept.authorities),
                    client=bool(kept.client),
                )
            except FormatError as error:
                raise refuse_file(directory.file, error) from None
            if content is None:
                workspace = workspace.delete(directory.file, reason)
            elif content != file.content:
                workspace = workspace.write(directory.file, decode(content), reason)
        for path in gone:
            workspace = workspace.delete(path, reason)
    return workspace


def _write(workspace: Workspace, effective: Effective, address: Address, wanted: RegistryCertificates) -> Workspace:
    directory = find_directory(workspace.state, effective, address)
    others = None if directory.is_own else read_hosts_of(workspace.state, effective, directory)
    folder = directory.path if directory.is_own else f"{directory.path.rpartition('/')[0]}/{address.entry}"
    workspace = _write_file(workspace, f"{folder}/{AUTHORITIES}", wanted.authorities, f"the CA of {address.entry}")
    reason = f"the client certificate for {address.entry}"
    workspace = _write_file(workspace, f"{folder}/{KEY}", wanted.key, reason, mode=_KEY_MODE)
    workspace = _write_file(workspace, f"{folder}/{CLIENT}", wanted.client, reason)
    path = f"{folder}/{HOSTS_FILE}"
    content = workspace.file(path).content
    if directory.is_own and not content:
        return workspace
    if ":" in address.host:
        message = f"{path}: containerd before 2.0 does not read a table for an IPv6 address and its port"
        raise RefusedError("ca-not-distributed", message, "give the registry a name")
    if content is None or not directory.is_own:
        url = f"https://{address.entry}"
        text = render_servers(url, [Server(url=url)])
        content = (render_with_hosts_of(text, others.file) if others and others.attempts else text).encode("latin-1")
    try:
        edited = name_certificates(
            content, address, effective.version, authorities=bool(wanted.authorities), client=bool(wanted.client)
        )
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(edited), f"the certificates of {address.entry}, {_READ}")


def _write_file(workspace: Workspace, path: str, content: bytes, what: str, *, mode: int = 0o644) -> Workspace:
    file = workspace.file(path)
    if not content or (file.content == content and file.mode == mode):
        return workspace
    return workspace.write(path, decode(content), f"{what}, {_READ}", mode=mode)

"""The certificates of a registry over HTTPS: files beside registries.yaml, which names them in `configs.HOST.tls`.

hosts.toml beside them sends containerd there at once, as for plain HTTP. containerd reads the files at each pull, so a
new content needs nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.hosts import Server, needs_key, render_hosts, render_servers
from harbor_agent.formats.registries_yaml.certificates import (
    remove_certificates,
    render_certificates,
    set_certificates,
)
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.planning.containerd.hosts import find_directory
from harbor_agent.planning.containerd.k3s.effective import evaluate, view_containerd
from harbor_agent.planning.containerd.k3s.settings import build_folder
from harbor_agent.planning.files.managed import is_rendered
from harbor_agent.planning.refusal import refuse_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import DesiredState, RegistryCertificates
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

# The key in registries.yaml, the ending of our file, its mode, and what it is.
_CA, _CLIENT, _KEY = "ca_file", "cert_file", "key_file"
_FILES = (
    (_CA, "crt", 0o644, "the CA of"),
    (_KEY, "key", 0o600, "the key of the client certificate for"),
    (_CLIENT, "cert", 0o644, "the client certificate for"),
)
_READ = "which containerd reads at each pull"


def build_certificate_paths(name: str, entry: str) -> dict[str, str]:
    """Return the paths of this tool's files for a registry, by their keys in registries.yaml."""
    stem = f"{build_folder(name)}/harbor-agent-{re.sub('[^A-Za-z0-9.-]', '_', entry)}"
    return {key: f"{stem}.{ending}" for key, ending, _, _ in _FILES}


def is_certificate(name: str, path: str) -> bool:
    """Whether a file is one that this tool writes beside registries.yaml."""
    return path.startswith(f"{build_folder(name)}/harbor-agent-")


def write_certificates(workspace: Workspace, name: str, desired: DesiredState) -> Workspace:
    """Return the workspace with the certificates of each registry that has some. Raises RefusedError."""
    for address in desired.secure:
        if not (wanted := desired.certificates.get(address.entry)):
            continue
        files = _list_wanted(name, address, wanted)
        contents = _list_contents(wanted)
        for key, _, mode, what in _FILES:
            file = workspace.file(files.get(key, ""))
            if key in files and (file.content != contents[key] or file.mode != mode):
                reason = f"{what} {address.entry}, {_READ}"
                workspace = workspace.write(files[key], decode(contents[key]), reason, mode=mode)
        workspace = _name_files(workspace, name, address, files)
    return workspace


def write_hosts_files(workspace: Workspace, name: str, desired: DesiredState) -> Workspace:
    """Return the workspace in which containerd is sent to the certificates at once, if it may be."""
    for address in desired.secure:
        if wanted := desired.certificates.get(address.entry):
            workspace = _write_hosts_file(workspace, name, address, _list_wanted(name, address, wanted))
    return workspace


def delete_certificates(workspace: Workspace, name: str, desired: DesiredState) -> Workspace:
    """Return the workspace without this tool's certificates that the registries no longer need. Raises RefusedError."""
    for address in (*desired.present, *desired.absent, *desired.secure):
        if address.literal is not None:
            continue
        wanted = desired.certificates.get(address.entry)
        kept = _list_wanted(name, address, wanted) if wanted else {}
        gone = {key: path for key, path in build_certificate_paths(name, address.entry).items() if key not in kept}
        reason = f"{address.entry} no longer has this certificate or key in the settings"
        workspace = _forget_files(workspace, name, address, gone, reason)
        for path in gone.values():
            if workspace.file(path).exists:
                workspace = workspace.delete(path, reason)
    return workspace


def are_certificates_late(workspace: Workspace, name: str, desired: DesiredState) -> bool:
    """Whether containerd is not sent to the certificates, or still to one that is gone; in a tree, by these edits."""
    after = evaluate(workspace.state, name)
    changed = {change.path: change.after.exists for change in workspace.changes()}
    late = False
    for address in (*desired.present, *desired.absent, *desired.secure):
        wanted = desired.certificates.get(address.entry)
        needed = set(_list_wanted(name, address, wanted).values()) if wanted else set()
        for path in build_certificate_paths(name, address.entry).values():
            is_named = is_file_named(workspace.state, after, path)
            if workspace.original.offline and path not in changed:
                continue
            late = late or (path in needed and not is_named) or (changed.get(path) is False and is_named)
    return late


def is_file_named(state: NodeState, effective: Effective, path: str) -> bool:
    """Whether the files from which containerd is configured name a certificate."""
    folder = f"{effective.settings.folder}/"
    files = (file for name, file in state.files.items() if name.startswith(folder) and file.content)
    return any(f'"{path}"'.encode() in (file.content or b"") for file in files if file.path.endswith(".toml"))


def _list_contents(wanted: RegistryCertificates) -> dict[str, bytes]:
    return {_CA: wanted.authorities, _CLIENT: wanted.client, _KEY: wanted.key}


def _list_wanted(name: str, address: Address, wanted: RegistryCertificates) -> dict[str, str]:
    contents = _list_contents(wanted)
    return {key: path for key, path in build_certificate_paths(name, address.entry).items() if contents[key]}


def _name_files(workspace: Workspace, name: str, address: Address, files: Mapping[str, str]) -> Workspace:
    path = evaluate(workspace.state, name).settings.registries
    reason = f"the certificates of {address.entry}, which is read at each start"
    content = workspace.file(path).content
    if content is None:
        return workspace.write(path, render_certificates(address.entry, files), reason)
    try:
        edited = set_certificates(content, address.entry, files)
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace if edited == content else workspace.write(path, decode(edited), reason)


def _write_hosts_file(workspace: Workspace, name: str, address: Address, files: Mapping[str, str]) -> Workspace:
    """Send containerd to the certificates at once, if it has no directory for the registry that says something else."""
    effective = evaluate(workspace.state, name)
    mirror = effective.find_mirror(address)
    if effective.generated is None or needs_key(address.entry) or (mirror and mirror.urls):
        return workspace
    directory = find_directory(view_containerd(workspace.state, name), effective.generated, address)
    content, written = workspace.file(directory.file).content, _render_secure(address, files)
    if not directory.is_own or content not in (None, *_render_ours(name, address)) or content == written.encode():
        return workspace
    reason = f"hosts.toml of {address.entry}, {_READ}; the next start writes it again from registries.yaml"
    return workspace.write(directory.file, written, reason)


def _forget_files(workspace: Workspace, name: str, address: Address, gone: Mapping[str, str], reason: str) -> Workspace:
    effective = evaluate(workspace.state, name)
    path = effective.settings.registries
    content = workspace.file(path).content
    if content is None or effective.file is None:
        return workspace
    known = effective.file.configs.get(address.entry)
    if not known or not any(known.tls.get(key) == file for key, file in gone.items()):
        return workspace
    named = {key: file for key, file in known.tls.items() if gone.get(key) == file}
    if content == render_certificates(address.entry, named).encode():
        workspace = workspace.delete(path, reason)
    else:
        try:
            workspace = workspace.write(path, decode(remove_certificates(content, address.entry, named)), reason)
        except FormatError as error:
            raise refuse_file(path, error) from None
    return _delete_hosts_file(workspace, name, address, reason)


def _delete_hosts_file(workspace: Workspace, name: str, address: Address, reason: str) -> Workspace:
    effective = evaluate(workspace.state, name)
    if effective.generated is None or effective.names(address):
        return workspace
    directory = find_directory(view_containerd(workspace.state, name), effective.generated, address)
    content = workspace.file(directory.file).content
    if directory.is_own and content and (is_rendered(content) or content in _render_ours(name, address)):
        return workspace.delete(directory.file, reason)
    return workspace


def _render_ours(name: str, address: Address) -> list[bytes]:
    """Return the contents of hosts.toml that this tool writes for a registry."""
    files = build_certificate_paths(name, address.entry)
    authorities, client = {_CA: files[_CA]}, {_CLIENT: files[_CLIENT], _KEY: files[_KEY]}
    secure = [_render_secure(address, some) for some in (authorities, client, authorities | client)]
    return [text.encode() for text in (render_hosts(address), *secure)]


def _render_secure(address: Address, files: Mapping[str, str]) -> str:
    url = f"https://{address.entry}"
    client = (files[_CLIENT], files[_KEY]) if _CLIENT in files else None
    return render_servers(url, [Server(url=url, ca=files.get(_CA, ""), client=client)])

"""How a registry is added to registries.yaml and removed, and hosts.toml beside it for the time until a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.hosts import render_hosts
from harbor_agent.formats.registries_yaml.additions import add_endpoint, render_registries
from harbor_agent.formats.registries_yaml.removals import remove_endpoints
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.planning.containerd.hosts import ANY_MIRROR, find_directory, reaches_plainly
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_written, view_containerd
from harbor_agent.planning.files.managed import is_rendered
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.planning.files.workspace import Workspace

_READ_AT_START = "which is read at each start"
_UNTIL_THEN = "which containerd reads at each pull; the next start writes it again from registries.yaml"
_REMOVED = "the registry is removed from the place where it is in effect"


def add_registry(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Trust one registry after the next start. Raises RefusedError if the file cannot be edited."""
    effective = evaluate(workspace.state, name)
    path, url = effective.settings.registries, f"http://{address.entry}"
    reason = f"the registries of {name}, {_READ_AT_START}"
    if effective.file is None:
        return workspace.write(path, render_registries(address.entry, url), reason)
    everyone = effective.file.mirrors.get(ANY_MIRROR)
    own = effective.file.mirrors.get(address.entry)
    if everyone and everyone.urls and everyone.has_rewrites and not (own and own.urls):
        message = f"{path} line {everyone.spot.line}: the mirror for all registries has rewrites, which would not count"
        raise RefusedError("settings-would-change", message, "add the registry to that file by hand")
    inherited = everyone.urls if everyone and own is None else ()
    try:
        content = add_endpoint(workspace.file(path).content or b"", address.entry, url, inherited)
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(content), reason)


def remove_registry(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Stop trusting one registry. Raises RefusedError for one that is trusted only through the mirror for all."""
    effective = evaluate(workspace.state, name)
    path, mirror = effective.settings.registries, effective.find_mirror(address)
    if not effective.is_trusted(address) or effective.file is None or mirror is None:
        return workspace
    if address.entry not in effective.file.mirrors:
        message = f"{address.entry} is trusted through '{ANY_MIRROR}' in {path}, which is for all registries"
        raise RefusedError("removal-unclear", message, "edit that file by hand")
    content = workspace.file(path).content or b""
    if content == render_registries(address.entry, f"http://{address.entry}").encode():
        return workspace.delete(path, _REMOVED)
    everyone = effective.file.mirrors.get(ANY_MIRROR)
    urls = [url for url in mirror.urls if reaches_plainly(url, address)]
    try:
        content = remove_endpoints(content, address.entry, urls, everyone.urls if everyone else ())
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(content), _REMOVED)


def add_hosts_file(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Trust the registry at once too, if containerd has no directory for it that says something else."""
    effective = evaluate(workspace.state, name)
    if effective.generated is None or is_written(workspace.state, name, effective, address):
        return workspace
    directory = find_directory(view_containerd(workspace.state, name), effective.generated, address)
    if not directory.is_own or workspace.file(directory.file).exists:
        return workspace
    return workspace.write(directory.file, render_hosts(address), f"hosts.toml of {address.entry}, {_UNTIL_THEN}")


def remove_hosts_file(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Stop trusting the registry at once too.

    Its hosts.toml is deleted if this tool wrote it, or if the daemon wrote it from settings that registries.yaml no
    longer has: then the next start deletes it as well.
    """
    effective = evaluate(workspace.state, name)
    if effective.generated is None:
        return workspace
    directory = find_directory(view_containerd(workspace.state, name), effective.generated, address)
    content = workspace.file(directory.file).content
    is_stale = directory.is_own and is_rendered(content or b"") and not effective.names(address)  # rule KR-06
    if content == render_hosts(address).encode() or is_stale:
        return workspace.delete(directory.file, _REMOVED)
    return workspace

"""Where a registry is added: its directory, the mirrors, or a directory that config_path has to name first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.config import SECOND
from harbor_agent.formats.containerd.hosts import needs_key, read_hosts, render_hosts, render_with_hosts_of, trust
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, prepend_value, set_value
from harbor_agent.model.plan import Route
from harbor_agent.planning.containerd.edits.opening import Placement, find_registry_path, open_directories
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.hosts import (
    HOSTS_FILE,
    find_directory,
    list_endpoints,
    read_hosts_of,
)
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_READS_EACH_PULL = "containerd reads hosts.toml at each pull"


def add_registries(workspace: Workspace, effective: Effective, addresses: Sequence[Address]) -> Placement:
    """Add registries where this containerd reads them. Raises RefusedError if that is not possible."""
    if effective.roots:
        return _add_to_directories(workspace, effective, addresses)
    if effective.mirrors or effective.tls:
        # config_path excludes TLS settings too, or leaves them without effect
        return _add_to_mirrors(workspace, effective, addresses)
    opened = open_directories(workspace, effective)
    effective = evaluate(opened.workspace.state)
    add = _add_to_directories if effective.roots or not effective.mirrors else _add_to_mirrors
    placed = add(opened.workspace, effective, addresses)
    return replace(placed, route=opened.route, reason=opened.reason, faults=(*opened.faults, *placed.faults))


def put_configuration_last(workspace: Workspace, effective: Effective) -> Workspace:
    """Return the workspace with the directories first: containerd finds them when it reads the file that names them."""
    configuration = {effective.config_file, *(file.path for file in effective.files)}
    order = sorted(workspace.reasons, key=lambda path: path in configuration)
    return replace(workspace, reasons={path: workspace.reasons[path] for path in order})


def _add_to_directories(workspace: Workspace, effective: Effective, addresses: Sequence[Address]) -> Placement:
    if not effective.roots:
        message = f"config_path would not be in effect: {effective.config_file} and its imports have another setting"
        raise RefusedError("settings-would-change", message, "configure the registry by hand on this node")
    faults: list[str] = []
    notes: list[str] = [_READS_EACH_PULL]
    for address in addresses:
        directory = find_directory(workspace.state, effective, address)
        file = workspace.file(directory.file)
        reason = f"{_READS_EACH_PULL}: {address.entry} over plain HTTP"
        if directory.exists and directory.is_own and file.exists:
            content, fault = _edit(workspace, effective, directory.file, address)
            faults += [fault] if fault else []
            workspace = workspace.write(directory.file, decode(content), reason)
            continue
        target = (
            directory.file if directory.is_own else f"{directory.path.rpartition('/')[0]}/{address.entry}/{HOSTS_FILE}"
        )
        text = render_hosts(address)
        others = None if directory.is_own else read_hosts_of(workspace.state, effective, directory)
        if others and others.attempts and not others.fault:
            text = render_with_hosts_of(text, others.file)
            notes.append(
                f"{target} also keeps the hosts of {directory.file}, which no longer counts for {address.entry}"
            )
        workspace = workspace.write(target, text, reason)
    return Placement(
        workspace=workspace, route=Route.HOSTS_TOML, reason="; ".join(notes), faults=tuple(dict.fromkeys(faults))
    )


def _edit(workspace: Workspace, effective: Effective, path: str, address: Address) -> tuple[bytes, str]:
    """Return the hosts.toml with the registry, and the fault for which all of it had to be written again."""
    content = workspace.file(path).content or b""
    if not content.strip():
        return render_hosts(address).encode(), ""
    try:
        edited = trust(content, address, effective.version)
        if read_hosts(edited, effective.version).is_plain(address):
            return edited, ""
        fault = f"containerd ignores {path}: {read_hosts(edited, effective.version).fault or 'it has no plain HTTP'}"
    except FormatError as error:
        fault = f"containerd ignores {path} line {error.line}: {error.reason}"
    return render_hosts(address).encode(), fault


def _add_to_mirrors(workspace: Workspace, effective: Effective, addresses: Sequence[Address]) -> Placement:
    home = effective.home
    if home is None:
        raise RefusedError("file-invalid", "the registries are in no file that was read", "plan again")
    path = home.path
    base = (*find_registry_path(home, effective), "mirrors")
    content = workspace.file(path).content or b""
    try:
        for address in addresses:
            url = f"http://{address.entry}"
            if address.entry in effective.mirrors:
                content = prepend_value(parse_toml(content), (*base, address.entry, "endpoint"), url)
            else:
                # what caught it before stays first
                every = [*list_endpoints(effective, address.entry), url]
                content = _add_mirror(content, (*base, address.entry), every, effective)
    except FormatError as error:
        raise refuse_file(path, error) from None
    reason = "containerd has its registries as mirrors in its configuration"
    return Placement(
        workspace=workspace.write(path, decode(content), reason), route=Route.CONTAINERD_CONFIG, reason=reason
    )


def _add_mirror(content: bytes, path: tuple[str, ...], endpoints: list[str], effective: Effective) -> bytes:
    file, items = parse_toml(content), {"endpoint": endpoints}
    if effective.version < SECOND and needs_key(path[-1]):
        return set_value(file, path, items)
    return add_table(file, path, items)

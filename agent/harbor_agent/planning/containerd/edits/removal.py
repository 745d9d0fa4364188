"""How a registry is removed: the directories and mirrors stay, without plain HTTP to it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.hosts import distrust, render_hosts, render_with_hosts_of
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import remove_first_value, remove_key, remove_table, set_value
from harbor_agent.model.plan import Route
from harbor_agent.planning.containerd.edits.earlier import choose_original, restore_hosts_file, was_there_before
from harbor_agent.planning.containerd.hosts import (
    ANY_MIRROR,
    DEFAULT,
    HostsDirectory,
    find_directory,
    is_trusted,
    list_endpoints,
    reaches_plainly,
    read_hosts_of,
)
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.formats.containerd.config import ConfigFile
    from harbor_agent.formats.toml.document import TomlFile
    from harbor_agent.formats.toml.edits import Path
    from harbor_agent.model.address import Address
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_REASON = "the registry is removed from the place where it is in effect"


def remove_registries(
    workspace: Workspace, effective: Effective, addresses: Sequence[Address]
) -> tuple[Workspace, Route]:
    """Remove registries. Raises RefusedError for one that is trusted through a table about others too."""
    if not effective.roots:
        for address in addresses:
            for file in effective.files:
                workspace = _remove_from_mirrors(workspace, effective, file, address)
        return workspace, Route.CONTAINERD_CONFIG
    for address in addresses:
        workspace = _remove_from_directory(workspace, effective, address)
    return workspace, Route.HOSTS_TOML


def _remove_from_directory(workspace: Workspace, effective: Effective, address: Address) -> Workspace:
    directory = find_directory(workspace.state, effective, address)
    hosts = read_hosts_of(workspace.state, effective, directory)
    if hosts is None:
        return workspace
    if not directory.is_own:
        message = f"{address.entry} is trusted through {directory.file}, which is for all registries"
        raise RefusedError("removal-unclear", message, "edit that file by hand")
    written = workspace.file(directory.file).content or b""
    default = HostsDirectory(path=f"{directory.path.rpartition('/')[0]}/{DEFAULT}", exists=True, is_own=False)
    others = read_hosts_of(workspace.state, effective, default)
    if others and written == render_with_hosts_of(render_hosts(address), others.file).encode("latin-1"):
        return workspace.delete(directory.file, _REASON)
    restored = restore_hosts_file(workspace, directory.file, address, _REASON)
    if restored and not is_trusted(restored.state, effective, address):
        return restored
    try:
        keeps_file = was_there_before(workspace.state, directory.file)
        content = distrust(written, address, effective.version, keeps_file=keeps_file)
    except FormatError as error:
        raise refuse_file(directory.file, error) from None
    if content is None:
        return workspace.delete(directory.file, _REASON)
    return workspace.write(directory.file, decode(content), _REASON)


def _remove_from_mirrors(workspace: Workspace, effective: Effective, file: ConfigFile, address: Address) -> Workspace:
    content = workspace.file(file.path).content or b""
    for name, plugin in file.plugins.items():
        registry = plugin.get("registry") if isinstance(plugin, dict) else None
        mirrors = registry.get("mirrors") if isinstance(registry, dict) else None
        if not isinstance(mirrors, dict) or address.entry not in mirrors:
            continue
        path = ("plugins", name, "registry", "mirrors", address.entry)
        every = list(list_endpoints(effective, ANY_MIRROR))
        left = [one for one in list_endpoints(effective, address.entry) if not reaches_plainly(one, address)]
        try:
            toml = parse_toml(content)
            candidates = (workspace.write(file.path, decode(one), _REASON) for one in _list_earlier_forms(toml, path))
            if restored := choose_original(candidates, file.path):
                workspace, content = restored, restored.file(file.path).content or b""
                continue
            is_kept = left and left != every
            content = set_value(toml, (*path, "endpoint"), left) if is_kept else remove_table(toml, path)
        except FormatError as error:
            raise refuse_file(file.path, error) from None
        workspace = workspace.write(file.path, decode(content), _REASON)
    return workspace


def _list_earlier_forms(toml: TomlFile, mirror: Path) -> Iterator[bytes]:
    """Yield what a configuration may have been before a mirror was added, or our endpoint to one."""
    for remove, path in (
        (remove_table, mirror),
        (remove_first_value, (*mirror, "endpoint")),
        (remove_key, (*mirror, "endpoint")),
    ):
        with suppress(FormatError):
            yield remove(toml, path)

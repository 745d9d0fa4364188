"""Where a registry is added: its directory, the mirrors, or a directory that config_path has to name first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.config import PLUGIN_NAMES, SECOND, list_read_names
from harbor_agent.formats.containerd.hosts import read_hosts, render_hosts, render_with_hosts_of, trust
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, set_value
from harbor_agent.model.plan import Route
from harbor_agent.planning.containerd.edits.copies import copy_directories
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT, evaluate
from harbor_agent.planning.containerd.hosts import (
    ANY_MIRROR,
    HOSTS_FILE,
    find_directory,
    list_endpoints,
    reaches_plainly,
    read_hosts_of,
)
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.formats.containerd.config import ConfigFile
    from harbor_agent.model.address import Address
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_SECOND, _THIRD = 2, 3
_READS_EACH_PULL = "containerd reads hosts.toml at each pull"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the registries went. `faults` are what had to be repaired for it, empty if nothing had to."""

    workspace: Workspace
    route: Route
    reason: str
    faults: tuple[str, ...] = ()


def add_registries(workspace: Workspace, effective: Effective, addresses: Sequence[Address]) -> Placement:
    """Add registries where this containerd reads them. Raises RefusedError if that is not possible."""
    if effective.roots:
        return _add_to_directories(workspace, effective, addresses)
    if effective.mirrors:
        return _add_to_mirrors(workspace, effective, addresses)
    opened = open_directories(workspace, effective)
    effective = evaluate(opened.workspace.state)
    add = _add_to_directories if effective.roots or not effective.mirrors else _add_to_mirrors
    placed = add(opened.workspace, effective, addresses)
    return replace(placed, route=opened.route, reason=opened.reason, faults=(*opened.faults, *placed.faults))


def open_directories(workspace: Workspace, effective: Effective) -> Placement:
    """Let containerd read a directory of registries. Raises RefusedError if that is not possible."""
    home = _find_home(effective)
    if home and (fault := _find_missing_version(home, effective)):
        workspace = _add_version(workspace, home, effective)
        effective = evaluate(workspace.state)
        if effective.roots or effective.mirrors:
            return Placement(workspace=workspace, route=Route.CONTAINERD_CONFIG, reason=fault, faults=(fault,))
        opened = open_directories(workspace, effective)
        return replace(opened, faults=(fault, *opened.faults))
    workspace, why = _set_config_path(workspace, effective, home)
    if effective.has_list:
        workspace = copy_directories(workspace, effective.config_path.split(":"))
    return Placement(workspace=workspace, route=Route.CONTAINERD_CONFIG, reason=why)


def put_configuration_last(workspace: Workspace, effective: Effective) -> Workspace:
    """Return the workspace with the directories first: containerd finds them when it reads the file that names them."""
    configuration = {effective.config_file, *(file.path for file in effective.files)}
    order = sorted(workspace.reasons, key=lambda path: path in configuration)
    return replace(workspace, reasons={path: workspace.reasons[path] for path in order})


def _find_home(effective: Effective) -> ConfigFile | None:
    """Return the file whose CRI tables are in effect, else the main one; None if that is absent."""
    return effective.home or next((file for file in effective.files if file.path == effective.config_file), None)


def _set_config_path(workspace: Workspace, effective: Effective, home: ConfigFile | None) -> tuple[Workspace, str]:
    """Let containerd read one directory of registries; return why it does not yet."""
    reason = "containerd reads no directory of registries yet"
    root = DEFAULT_ROOT
    if effective.has_list:
        root = effective.config_path.split(":")[0]
        reason = f"containerd takes config_path '{effective.config_path}' for one name and finds nothing there"
    path = home.path if home else effective.config_file
    why = f"{reason}, so config_path names {root}"
    if home is None or not home.values:
        version = _THIRD if effective.version >= SECOND else _SECOND
        text = decode(home.toml.encode(home.toml.text)).rstrip() + "\n\n" if home and home.toml.text.strip() else ""
        text += f'version = {version}\n\n[plugins."{PLUGIN_NAMES[version]}".registry]\n  config_path = "{root}"\n'
        return workspace.write(path, text, why), why
    try:
        content = set_value(home.toml, (*_find_registry_path(home, effective), "config_path"), root)
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(content), why), why


def _find_missing_version(home: ConfigFile, effective: Effective) -> str:
    """Return the fault of a file whose CRI tables count only with a version line, "" if it has none.

    Raises RefusedError if its version line is another one.
    """
    names = effective.list_names(home)
    unread = [name for path, name in effective.unread if path == home.path]
    if not home.values or (names and (not unread or any(name in home.plugins for name in names))):
        return ""
    ignored = f"this containerd ignores {', '.join(unread) or 'its settings of CRI'}"
    if home.version:
        message = f"{home.path} has 'version = {home.version}', with which {ignored}"
        raise RefusedError("needs-repair", message, "write the tables of the file's own version by hand")
    return f"{home.path} has no version line, so {ignored}"


def _add_version(workspace: Workspace, home: ConfigFile, effective: Effective) -> Workspace:
    unread = [name for path, name in effective.unread if path == home.path]
    version = _THIRD if PLUGIN_NAMES[_THIRD] in unread and effective.version >= SECOND else _SECOND
    try:
        content = set_value(home.toml, ("version",), version)
    except FormatError as error:
        raise refuse_file(home.path, error) from None
    return workspace.write(home.path, decode(content), "its tables count only with the version line")


def _find_registry_path(home: ConfigFile, effective: Effective) -> tuple[str, ...]:
    """Return the path of the registry table in the spelling of the file."""
    names = list_read_names(home.version, effective.version) if home.version else effective.list_names(home)
    own = PLUGIN_NAMES[home.version or 1]
    present = [name for name in names if name in home.plugins]
    # of two tables in one file the later name wins
    holders = [name for name in present if "config_path" in home.plugins[name].get("registry", {})]
    name = (holders or present or [own if own in names else names[0]])[-1]
    return ("plugins", name, "registry")


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
        raise RefusedError("file-invalid", "the mirrors are in no file that was read", "plan again")
    path = home.path
    base = (*_find_registry_path(home, effective), "mirrors")
    content = workspace.file(path).content or b""
    try:
        for address in addresses:
            url = f"http://{address.entry}"
            endpoints = [one for one in list_endpoints(effective, address.entry) if not reaches_plainly(one, address)]
            if address.entry in effective.mirrors:
                own = (*base, address.entry, "endpoint")
                content = set_value(parse_toml(content), own, [url, *endpoints])
            else:
                # what caught it before stays first
                every = [*endpoints, url] if ANY_MIRROR in effective.mirrors else [url]
                content = add_table(parse_toml(content), (*base, address.entry), {"endpoint": every})
    except FormatError as error:
        raise refuse_file(path, error) from None
    reason = "containerd has its registries as mirrors in its configuration"
    return Placement(
        workspace=workspace.write(path, decode(content), reason), route=Route.CONTAINERD_CONFIG, reason=reason
    )

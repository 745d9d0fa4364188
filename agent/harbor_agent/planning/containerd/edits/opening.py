"""config_path: named, so that containerd reads a directory of registries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.config import PLUGIN_NAMES, SECOND, list_read_names
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.edits import set_value
from harbor_agent.model.plan import Route
from harbor_agent.planning.containerd.edits.copies import copy_directories
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT, evaluate
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from harbor_agent.formats.containerd.config import ConfigFile
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_SECOND, _THIRD = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the registries went. `faults` are what had to be repaired for it, empty if nothing had to."""

    workspace: Workspace
    route: Route
    reason: str
    faults: tuple[str, ...] = ()


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
        text = decode(home.toml.encode(home.toml.text)) if home else ""
        text += "\n" * ((not text.endswith("\n")) + 1) if text else ""
        return workspace.write(path, text + write_settings(effective, root), why), why
    try:
        content = set_value(home.toml, (*find_registry_path(home, effective), "config_path"), root)
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(content), why), why


def write_settings(effective: Effective, root: str) -> str:
    """Return the whole of a configuration that names one directory of registries."""
    version = _THIRD if effective.version >= SECOND else _SECOND
    return f'version = {version}\n\n[plugins."{PLUGIN_NAMES[version]}".registry]\n  config_path = "{root}"\n'


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
    if PLUGIN_NAMES[1] in unread:
        message = f"{home.path} has tables of version 1, and {ignored}"
        raise RefusedError("needs-repair", message, "write them as tables of version 3 by hand")
    return f"{home.path} has no version line, so {ignored}"


def _add_version(workspace: Workspace, home: ConfigFile, effective: Effective) -> Workspace:
    unread = [name for path, name in effective.unread if path == home.path]
    version = _THIRD if PLUGIN_NAMES[_THIRD] in unread and effective.version >= SECOND else _SECOND
    try:
        content = set_value(home.toml, ("version",), version)
    except FormatError as error:
        raise refuse_file(home.path, error) from None
    return workspace.write(home.path, decode(content), "its tables count only with the version line")


def find_registry_path(home: ConfigFile, effective: Effective) -> tuple[str, ...]:
    """Return the path of the registry table in the spelling of the file."""
    names = list_read_names(home.version, effective.version) if home.version else effective.list_names(home)
    own = PLUGIN_NAMES[home.version or 1]
    present = [name for name in names if name in home.plugins]
    # of two tables in one file the later name wins
    holders = [name for name in present if "config_path" in home.plugins[name].get("registry", {})]
    name = (holders or present or [own if own in names else names[0]])[-1]
    return ("plugins", name, "registry")

"""What containerd's CRI plugin reads of its files: config.toml, its imports, and the directories of registries."""

from __future__ import annotations

import fnmatch
import json
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.containerd.config import (
    DEFAULT_CONFIG_PATH,
    DEFAULT_SINCE,
    PLUGIN_NAMES,
    SECOND,
    TRANSFER_SINCE,
    find_name_fault,
    find_version_fault,
    is_cri_disabled,
    list_read_names,
    merge_tables,
    pulls_locally,
    read_config,
    resolves_relative_imports,
)
from harbor_agent.formats.containerd.hosts import find_header_fault
from harbor_agent.formats.text import FormatError
from harbor_agent.planning.containerd.state import read_version, require_containerd
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.formats.containerd.config import ConfigFile
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.state import Version

DEFAULT_ROOT = "/etc/containerd/certs.d"
_REGISTRY = "registry"
# The first release with the default directories sets them before it reads the file; later ones after.
_EARLY_DEFAULT = (2, 2, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The node's files, evaluated for one version of containerd.

    `files` are the configuration file and its imports in the order in which they are read, without those that are
    absent. `home` is the one whose CRI tables are in effect, None if none has any; `section` are those tables.
    `config_path` is in effect as it is written, or by default; `roots` are the directories that it names.
    `unread` are CRI tables that this version ignores, each with its file.
    """

    version: Version
    config_file: str
    files: tuple[ConfigFile, ...]
    home: ConfigFile | None
    section: Mapping[str, Any]
    config_path: str
    is_transfer: bool
    is_cri_disabled: bool
    unread: tuple[tuple[str, str], ...]
    foreign: str

    @property
    def registry(self) -> Mapping[str, Any]:
        """The registry table in effect."""
        return _table(self.section, _REGISTRY)

    @property
    def mirrors(self) -> Mapping[str, Any]:
        """The mirrors by registry."""
        return _table(self.registry, "mirrors")

    @property
    def tls(self) -> Mapping[str, Any]:
        """The TLS settings by registry, which only count without config_path."""
        configs = _table(self.registry, "configs")
        return {key: one["tls"] for key, one in configs.items() if isinstance(one, dict) and one.get("tls")}

    @property
    def has_list(self) -> bool:
        """Whether config_path is a list that the transfer service takes for one name, so that none of it is read."""
        return self.is_transfer and ":" in self.config_path  # rule CD-14

    @property
    def roots(self) -> tuple[str, ...]:
        """The directories of registries that are read; relative ones are relative to /."""
        if self.has_list:
            return ()
        parts = [self.config_path] if self.is_transfer else self.config_path.split(":")
        return tuple(posixpath.normpath(f"/{part}").replace("//", "/") for part in parts if part)  # rule CD-17

    def list_names(self, file: ConfigFile) -> tuple[str, ...]:
        """Return the names of CRI's tables that this version reads in a file."""
        return _list_names(file, self.files, self.version)

    @property
    def conflict(self) -> str:
        """Return why the CRI plugin does not load, "" if it does: config_path excludes mirrors and TLS settings."""
        if not self.config_path:
            return ""
        by_default = " by default" if not self.registry.get("config_path") else ""
        if self.mirrors:  # rule CD-10
            return f"registry.mirrors and config_path{by_default} exclude each other"
        if self.tls and self.version < SECOND:  # rule CD-11
            return "registry.configs with tls and config_path exclude each other"
        return ""


def evaluate(state: NodeState) -> Effective:
    """Evaluate the node's files. Raises RefusedError for files with which containerd does not start."""
    containerd = require_containerd(state)
    version = read_version(containerd)
    files = tuple(_read_files(state, containerd.config_file, version))
    for file in files:
        if fault := find_name_fault(file.values, _find_version(files), version):
            raise RefusedError("file-invalid", f"{file.path}: {fault}", "fix the file by hand")
    named = [(file, _list_names(file, files, version)) for file in files]
    home, section = _find_section(named, version)
    registry = _table(section, _REGISTRY)
    has_mirrors = bool(registry.get("mirrors"))
    config_path = registry.get("config_path")
    if not config_path and version >= DEFAULT_SINCE:  # rule CD-12
        early = version == _EARLY_DEFAULT  # rule CD-13
        config_path = DEFAULT_CONFIG_PATH if (config_path is None if early else not has_mirrors) else ""
    # in the template of a snap; its start script sets the name of the directory
    data = posixpath.dirname(posixpath.dirname(containerd.config_file))
    config_path = (config_path or "").replace("${SNAP_DATA}", data)
    disabled = next((f.values["disabled_plugins"] for f in reversed(files) if "disabled_plugins" in f.values), None)
    return Effective(
        version=version,
        config_file=containerd.config_file,
        files=files,
        home=home,
        section=section,
        config_path=config_path,
        is_transfer=version >= TRANSFER_SINCE and not pulls_locally(section),
        is_cri_disabled=is_cri_disabled(disabled),
        unread=tuple(_find_unread(named)),
        foreign=_describe_foreign(files, version),
    )


def _list_names(file: ConfigFile, files: tuple[ConfigFile, ...], version: Version) -> tuple[str, ...]:
    """Return the names of CRI's tables that are read in a file; before 2.0 the last version line is for all files."""
    number = _find_version(files) if version < SECOND else file.version
    return list_read_names(number, version, is_import=file.path != files[0].path)


def _find_version(files: tuple[ConfigFile, ...]) -> int:
    """Return the last version line, 0 if there is none."""
    return next((one.version for one in reversed(files) if one.version), 0)


def _read_files(state: NodeState, path: str, version: Version) -> Iterator[ConfigFile]:
    """Yield the file and what it imports, in the order of containerd: breadth first, each file once."""
    pending, seen = [path], set()
    while pending:
        path = pending.pop(0)
        if path in seen:
            continue
        seen.add(path)
        content = read_content(state.files[path]) if path in state.files else None
        if content is None:
            continue
        try:
            file = read_config(path, content)
        except FormatError as error:
            raise refuse_file(path, error) from None
        fault = find_version_fault(file.version, version)
        if version < SECOND:
            fault = fault or find_header_fault(file.toml)
        elif file.toml.has_mark:  # rule CD-16
            fault = fault or "containerd 2 does not start with a byte order mark"
        if fault:
            raise RefusedError("file-invalid", f"{path}: {fault}", "fix the file by hand")
        yield file
        imports = file.values.get("imports", ())
        for pattern in imports if isinstance(imports, list) else ():
            pending.extend(_resolve_import(state, path, str(pattern), version))


def _resolve_import(state: NodeState, path: str, pattern: str, version: Version) -> list[str]:
    if not pattern.startswith("/"):
        if not resolves_relative_imports(version):
            return []
        pattern = posixpath.normpath(posixpath.join(posixpath.dirname(path), pattern))
    # without a star it is the name of a file, with one "?" and "[" count too
    if "*" not in pattern:  # rule CD-08
        if pattern not in state.files or not state.files[pattern].exists:
            if version >= SECOND:
                return []
            message = f"{path} imports {pattern}, which does not exist: containerd would not start"
            raise RefusedError("file-invalid", message, "fix the file by hand")
        return [pattern]
    parts = pattern.split("/")
    return sorted(
        name
        for name, file in state.files.items()
        if file.content is not None
        and name.count("/") == len(parts) - 1
        and all(fnmatch.fnmatchcase(*pair) for pair in zip(name.split("/"), parts, strict=True))
    )


def _find_section(
    named: list[tuple[ConfigFile, tuple[str, ...]]], version: Version
) -> tuple[ConfigFile | None, Mapping[str, Any]]:
    """Return the CRI tables in effect, and the file where a setting of registries counts."""
    home, holder = None, None
    section: dict[str, Any] = {}
    for file, names in named:
        for name in names:
            table = file.plugins.get(name)
            if not isinstance(table, dict):
                continue
            home = file
            holder = file if "config_path" in _table(table, _REGISTRY) else holder
            # before 2.0 the last file with a plugin's tables replaces them as a whole
            section = dict(table) if version < SECOND else merge_tables(section, table)  # rule CD-09
    return (holder if holder and version >= SECOND else home), section


def _find_unread(named: list[tuple[ConfigFile, tuple[str, ...]]]) -> Iterator[tuple[str, str]]:
    for file, names in named:
        for name in dict.fromkeys(PLUGIN_NAMES.values()):
            if name in file.plugins and name not in names:
                yield file.path, name


def _describe_foreign(files: tuple[ConfigFile, ...], version: Version) -> str:
    """Return everything that the files set but the registries, in a form that can be compared."""
    merged: dict[str, Any] = {}
    for file in files:
        values = dict(file.values)
        plugins = dict(merged.get("plugins", {}))
        if version < SECOND and isinstance(values.get("plugins"), dict):
            values["plugins"] = {**plugins, **values["plugins"]}
            merged = {**merge_tables({**merged, "plugins": {}}, values), "plugins": values["plugins"]}
        else:
            merged = merge_tables(merged, values)
    plugins = merged.get("plugins", {})
    kept = {
        name: {key: value for key, value in table.items() if name not in PLUGIN_NAMES.values() or key != _REGISTRY}
        for name, table in plugins.items()
        if isinstance(table, dict)
    }
    rest = {key: value for key, value in merged.items() if key not in ("plugins", "version")}
    return json.dumps([rest, {name: table for name, table in kept.items() if table}], sort_keys=True, default=str)


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key, {})
    return found if isinstance(found, dict) else {}

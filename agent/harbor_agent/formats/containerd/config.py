"""config.toml of containerd: which tables a daemon of one version reads (docs/PLUGINS.md, docs/cri/registry.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.toml.document import TomlFile

    Version = tuple[int, ...]

# The CRI plugin's name by the version of the file; since 3 that of the part that pulls images.
PLUGIN_NAMES = {
    1: "cri",
    2: "io.containerd.grpc.v1.cri",
    3: "io.containerd.cri.v1.images",
    4: "io.containerd.cri.v1.images",
}
_CRI = "io.containerd.grpc.v1.cri"
_IMAGES = "io.containerd.cri.v1.images"
DEFAULT_CONFIG_PATH = "/etc/containerd/certs.d:/etc/docker/certs.d"
SECOND = (2, 0)
TRANSFER_SINCE = (2, 1)
DEFAULT_SINCE = (2, 2)
READS_OLD_SINCE = (2, 3)
_RELATIVE_IMPORTS_SINCE = (1, 7)
_DEFAULT_DOWNLOADS = 3
_SECOND, _THIRD = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One configuration file; `version` is that of its version line, 0 without one."""

    path: str
    toml: TomlFile
    version: int

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the file."""
        return self.toml.values

    @property
    def plugins(self) -> Mapping[str, Any]:
        """The tables of the plugins."""
        plugins = self.values.get("plugins", {})
        return plugins if isinstance(plugins, dict) else {}


def read_config(path: str, content: bytes) -> ConfigFile:
    """Read one file. Raises FormatError if it is not valid."""
    toml = parse_toml(content)
    version = toml.values.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version not in (0, *PLUGIN_NAMES):
        raise FormatError(toml.line(("version",)), "'version' must be a number from 1 to 4")
    _check_types(toml)
    return ConfigFile(path=path, toml=toml, version=version)


def _check_types(toml: TomlFile) -> None:
    """Raise FormatError for a value of a type with which containerd does not start, as far as it is read here."""
    plugins = _check_table(toml, toml.values, ("plugins",))
    for name in plugins:
        table = _check_table(toml, plugins, ("plugins", name))
        if name not in PLUGIN_NAMES.values():
            continue
        registry = _check_table(toml, table, ("plugins", name, "registry"))
        if not isinstance(registry.get("config_path", ""), str):
            raise FormatError(toml.line(("plugins", name, "registry", "config_path")), "config_path must be a string")
        for key in ("mirrors", "configs"):
            entries = _check_table(toml, registry, ("plugins", name, "registry", key))
            for entry in entries:
                found = _check_table(toml, entries, ("plugins", name, "registry", key, entry))
                _check_table(toml, found, ("plugins", name, "registry", key, entry, "tls"))


def _check_table(toml: TomlFile, values: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the table at the last key of `path`, empty if it is absent. Raises FormatError if it is something else."""
    found = values.get(path[-1], {})
    if not isinstance(found, dict):
        raise FormatError(toml.line(path), f"'{path[-1]}' must be a table")
    return found


def find_version_fault(file_version: int, daemon: Version) -> str:
    """Return why a daemon does not start with a file of this version, "" if it does."""
    newest = 4 if daemon >= READS_OLD_SINCE else 3 if daemon >= SECOND else 2
    # 1.6 and older start with version 3 and read none of it
    if file_version <= newest or (file_version == _THIRD and daemon < _RELATIVE_IMPORTS_SINCE):
        return ""
    # rule CD-05
    return f"containerd {daemon[0]}.{daemon[1]} does not start with 'version = {file_version}'"


def list_read_names(file_version: int, daemon: Version, *, is_import: bool = False) -> tuple[str, ...]:
    """Return the names of CRI's tables that the daemon reads in a file of this version (0: no version line)."""
    # rule CD-01
    version = file_version or 1
    if daemon < SECOND:
        # rule CD-02
        return ("cri",) if version == 1 else (_CRI,)
    # rule CD-04
    if daemon >= READS_OLD_SINCE or (is_import and not file_version):
        return {1: ("cri", _CRI, _IMAGES), _SECOND: (_CRI, _IMAGES)}.get(version, (_IMAGES,))
    # rule CD-03
    return {1: (_IMAGES,), _SECOND: (_CRI, _IMAGES)}.get(version, (_IMAGES,))


def find_name_fault(values: Mapping[str, Any], file_version: int, daemon: Version) -> str:
    """Return why a daemon does not start with a file: a short plugin name, which only version 1 has."""
    disabled = values.get("disabled_plugins", ())
    plugins = values.get("plugins", {})
    named = [str(one) for one in disabled] if isinstance(disabled, list) else []
    if daemon < SECOND and isinstance(plugins, dict):
        named += plugins
    short = next((name for name in named if "." not in name), None)
    # rule CD-06
    if file_version < _SECOND or short is None:
        return ""
    return f"containerd does not start with the plugin name '{short}' and 'version = {file_version}'"


def is_cri_disabled(disabled: Any) -> bool:  # noqa: ANN401 - any TOML value
    """Whether `disabled_plugins` switches CRI off."""
    # rule CD-18
    return isinstance(disabled, list) and bool({"cri", _CRI, _IMAGES} & {str(one) for one in disabled})


def resolves_relative_imports(daemon: Version) -> bool:
    """Whether imports are relative to the file that names them; older daemons find none of those."""
    # rule CD-07
    return daemon >= _RELATIVE_IMPORTS_SINCE


def pulls_locally(section: Mapping[str, Any]) -> bool:
    """Whether settings keep a daemon from 2.1 on from pulling by its transfer service."""
    registry = section.get("registry", {})
    # rule CD-15
    return bool(
        section.get("use_local_image_pull")
        or section.get("discard_unpacked_layers")
        or section.get("disable_snapshot_annotations") is False
        or section.get("max_concurrent_downloads", _DEFAULT_DOWNLOADS) != _DEFAULT_DOWNLOADS
        or any(registry.get(key) for key in ("configs", "auths", "mirrors"))
    )


def merge_tables(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables merged key by key, as containerd 2 does; `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        there = merged.get(key)
        both = isinstance(there, dict) and isinstance(value, dict)
        merged[key] = merge_tables(there, value) if both else value  # type: ignore[arg-type]
    return merged

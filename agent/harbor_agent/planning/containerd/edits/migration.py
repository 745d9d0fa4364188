"""From mirrors to directories: the way out where both are there and the CRI plugin does not load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harbor_agent.formats.containerd.config import PLUGIN_NAMES
from harbor_agent.formats.containerd.hosts import Server, render_servers
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import remove_table, set_value
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT
from harbor_agent.planning.containerd.hosts import (
    ANY_MIRROR,
    DEFAULT,
    HOSTS_FILE,
    list_endpoints,
    parse_entry,
    reaches_plainly,
)
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_REASON = "mirrors and config_path exclude each other: the mirrors become directories"


def migrate(workspace: Workspace, effective: Effective) -> Workspace:
    """Write a hosts.toml for each mirror, and remove mirrors and TLS settings from the configuration."""
    root = (effective.registry.get("config_path") or DEFAULT_ROOT).split(":")[0]
    for name in effective.mirrors:
        directory = DEFAULT if name == ANY_MIRROR else name
        path = f"{root}/{directory}/{HOSTS_FILE}"
        if name != ANY_MIRROR and (parse_entry(name) is None or name in (".", "..")):
            message = f"the mirror '{name}' is not the name of a registry, so it cannot become a directory"
            raise RefusedError("runtime-config-conflict", message, "remove it by hand")
        if not workspace.file(path).exists:
            workspace = workspace.write(path, _render(effective, name), _REASON)
    for file in effective.files:
        content = workspace.file(file.path).content or b""
        try:
            if effective.home and file.path == effective.home.path:
                content = _name_one_directory(content, effective, root)
            for table in _list_tables(file.plugins):
                content = remove_table(parse_toml(content), ("plugins", *table))
        except FormatError as error:
            raise refuse_file(file.path, error) from None
        workspace = workspace.write(file.path, decode(content), _REASON)
    return workspace


def _name_one_directory(content: bytes, effective: Effective, root: str) -> bytes:
    """Return the file with config_path, if it has none or a list that is taken for one name."""
    given = effective.registry.get("config_path")
    if given and not effective.has_list:
        return content
    toml = parse_toml(content)
    plugins = toml.values.get("plugins", {})
    name = next(name for name, plugin in plugins.items() if name in PLUGIN_NAMES.values() and "registry" in plugin)
    return set_value(toml, ("plugins", name, "registry", "config_path"), root)


def _list_tables(plugins: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - any TOML table
    """Yield the paths of the tables that exclude config_path."""
    for name, plugin in plugins.items():
        registry = plugin.get("registry") if isinstance(plugin, dict) else None
        if not isinstance(registry, dict):
            continue
        if "mirrors" in registry:
            yield (name, "registry", "mirrors")
        for key, config in registry.get("configs", {}).items():
            if isinstance(config, dict) and "tls" in config:
                yield (name, "registry", "configs", key, "tls")


def _render(effective: Effective, name: str) -> str:
    """Return the hosts.toml that does what a mirror did."""
    address = parse_entry(name)
    endpoints = list_endpoints(effective, name)
    servers = [_build_server(effective, endpoint) for endpoint in endpoints]
    plain = address is not None and any(reaches_plainly(endpoint, address) for endpoint in endpoints)
    server = "" if address is None else f"{'http' if plain else 'https'}://{name}"
    return render_servers(server, servers)


def _build_server(effective: Effective, endpoint: str) -> Server:
    host = endpoint.partition("://")[2].partition("/")[0]
    tls = effective.tls.get(host, {}) if endpoint.startswith("https://") else {}
    return Server(
        url=endpoint,
        skip_verify=bool(tls.get("insecure_skip_verify")),
        ca=str(tls.get("ca_file", "")),
        client=(str(tls["cert_file"]), str(tls["key_file"])) if tls.get("cert_file") and tls.get("key_file") else None,
    )

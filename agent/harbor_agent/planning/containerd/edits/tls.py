"""The certificates of a registry over HTTPS beside mirrors: TLS settings of containerd 1.x.

It reads them when it starts, and the files that they name at each pull. containerd 2 does not know them ("Ignoring
unknown key", 2.1.9), and config_path excludes them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.authorities import AUTHORITIES, CLIENT, KEY
from harbor_agent.formats.containerd.config import SECOND
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, remove_key, remove_table, set_value
from harbor_agent.model.policy import RegistryCertificates
from harbor_agent.planning.containerd.edits.earlier import choose_original
from harbor_agent.planning.containerd.edits.opening import find_registry_path
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harbor_agent.formats.toml.edits import Path
    from harbor_agent.model.address import Address
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_HINT = "replace the mirrors by config_path and hosts.toml files"
_KEY_MODE = 0o600


def has_tls_settings(effective: Effective) -> bool:
    """Whether certificates belong in TLS settings, if anywhere: config_path is not in effect, and would end others."""
    return not effective.roots and bool(effective.mirrors or (effective.tls and effective.version < SECOND))


def write_tls_settings(
    workspace: Workspace,
    effective: Effective,
    addresses: Iterable[Address],
    certificates: Mapping[str, RegistryCertificates],
) -> Workspace:
    """Write the certificates of each registry, and name them. Raises RefusedError if containerd would not read them."""
    for address in addresses:
        wanted = certificates[address.entry]
        _require_place(effective, address)
        reason = f"the certificates of {address.entry}, which containerd reads at each pull"
        contents = {AUTHORITIES: wanted.authorities, KEY: wanted.key, CLIENT: wanted.client}
        for name, content in contents.items():
            path, mode = _build_path(address, name), _KEY_MODE if name == KEY else 0o644
            file = workspace.file(path)
            if content and (file.content != content or file.mode != mode):
                workspace = workspace.write(path, decode(content), reason, mode=mode)
        workspace = _name_certificates(workspace, effective, address, wanted)
    return workspace


def delete_tls_settings(
    workspace: Workspace,
    effective: Effective,
    addresses: Iterable[Address],
    certificates: Mapping[str, RegistryCertificates],
) -> Workspace:
    """Delete this tool's certificates that these registries no longer need, with the settings that name them."""
    for address in addresses:
        kept = certificates.get(address.entry) or RegistryCertificates()
        contents = {AUTHORITIES: kept.authorities, CLIENT: kept.client, KEY: kept.key}
        gone = [name for name, content in contents.items() if not content]
        paths = [path for path in (_build_path(address, name) for name in gone) if workspace.file(path).exists]
        reason = f"{address.entry} no longer has this certificate or key in the settings"
        if paths:
            workspace = _forget_certificates(workspace, effective, address, gone, reason)
        for path in paths:
            workspace = workspace.delete(path, reason)
    return workspace


def _require_place(effective: Effective, address: Address) -> None:
    # rule CD-32
    if effective.version >= SECOND:
        message = f"the CA of {address.entry} has no place beside registry.mirrors: containerd 2 knows no TLS settings"
        raise RefusedError("ca-not-distributed", message, _HINT)
    if effective.home is None:
        raise RefusedError("file-invalid", "the registries are in no file that was read", "plan again")
    settings = effective.tls.get(address.entry, {})
    theirs = [key for key, value in settings.items() if _build_settings(address).get(key) != value]
    if theirs:
        message = f"containerd has TLS settings of its own for {address.entry}: {', '.join(sorted(theirs))}"
        raise RefusedError("ca-not-distributed", message, f"remove them in {effective.home.path}, or leave out ca_file")


def _name_certificates(
    workspace: Workspace, effective: Effective, address: Address, wanted: RegistryCertificates
) -> Workspace:
    home = effective.home
    if home is None:
        return workspace
    table = (*find_registry_path(home, effective), "configs", address.entry, "tls")
    content = workspace.file(home.path).content or b""
    named = _build_settings(address, authorities=bool(wanted.authorities), client=bool(wanted.client))
    there = effective.tls.get(address.entry, {})
    try:
        if parse_toml(content).find(table) is None:
            content = add_table(parse_toml(content), table, named)
        else:
            for key in named.keys() - there.keys():
                content = set_value(parse_toml(content), (*table, key), named[key])
    except FormatError as error:
        raise refuse_file(home.path, error) from None
    reason = f"TLS settings name the certificates of {address.entry}; containerd reads them when it starts"
    return workspace.write(home.path, decode(content), reason)


def _forget_certificates(
    workspace: Workspace, effective: Effective, address: Address, gone: Iterable[str], reason: str
) -> Workspace:
    """Return the workspace without the settings that name certificates of ours; the file is as before if it can be."""
    own = _build_settings(address)
    for file in effective.files:
        for name, plugin in file.plugins.items():
            table: Path = ("plugins", name, "registry", "configs", address.entry, "tls")
            settings = _find_table(plugin, table[2:])
            ours = [key for key, value in settings.items() if own.get(key) == value]
            old = [key for key in ours if own[key].rpartition("/")[2] in gone]
            if not old:
                continue
            content = workspace.file(file.path).content or b""
            candidates = (workspace.write(file.path, decode(one), reason) for one in _list_forms(content, table, old))
            if old == ours and (restored := choose_original(candidates, file.path)):
                workspace = restored
                continue
            try:
                content = _remove_settings(content, table, old if len(old) < len(settings) else ())
            except FormatError as error:
                raise refuse_file(file.path, error) from None
            workspace = workspace.write(file.path, decode(content), reason)
    return workspace


def _remove_settings(content: bytes, table: Path, keys: Sequence[str]) -> bytes:
    """Return the configuration without these keys of the table, or without the table. Raises FormatError."""
    for key in keys:
        content = remove_key(parse_toml(content), (*table, key))
    return content if keys else remove_table(parse_toml(content), table)


def _list_forms(content: bytes, table: Path, keys: Sequence[str]) -> Iterator[bytes]:
    """Yield what a configuration may have been before the settings were added."""
    for path in (table, table[:-1], table[:-2]):
        with suppress(FormatError):
            yield remove_table(parse_toml(content), path)
    with suppress(FormatError):
        yield _remove_settings(content, table, keys)


def _build_settings(address: Address, *, authorities: bool = True, client: bool = True) -> dict[str, str]:
    settings = {"ca_file": AUTHORITIES} if authorities else {}
    settings |= {"cert_file": CLIENT, "key_file": KEY} if client else {}
    return {key: _build_path(address, name) for key, name in settings.items()}


def _build_path(address: Address, name: str) -> str:
    return f"{DEFAULT_ROOT}/{address.entry}/{name}"


def _find_table(values: object, path: Path) -> Mapping[str, object]:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}

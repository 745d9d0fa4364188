"""How a registry is added to registries.conf, and how it is removed: in the table or list that counts, byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.registries_conf.lists import add_to_list, remove_from_list
from harbor_agent.formats.registries_conf.tables import (
    append_table,
    distrust_table,
    is_table_alone,
    remove_appended_table,
    render_table,
    trust_table,
)
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.planning.containers_image.effective import (
    evaluate,
    find_longer_tables,
    find_table,
    is_trusted_by_table,
)
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.formats.toml.document import TomlFile
    from harbor_agent.model.address import Address
    from harbor_agent.planning.containers_image.effective import Effective, Located
    from harbor_agent.planning.files.workspace import Workspace

_BY_HAND = "configure the registry by hand on this node"
_REMOVED = "the registry is removed from the place where it is in effect"


def add_registry(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Trust one registry. Raises RefusedError if it is blocked, or pulled from another place."""
    entry = address.entry
    effective = evaluate(workspace.state, name)
    located = find_table(effective, entry)
    if located and located.table.blocked:
        message = f"{located.path} blocks {located.table.prefix}: {name} pulls nothing from {entry}"
        raise RefusedError("registry-blocked", message, "if it should be allowed, remove 'blocked' from the file")
    if located and (located.table.redirects or (located.table.prefix != entry and not located.table.is_plain)):
        message = f"{located.path} sends pulls of '{located.table.prefix}' to another place than {entry}"
        raise RefusedError("settings-would-change", message, _BY_HAND)
    if not is_trusted_by_table(effective, entry):
        workspace = _add(workspace, effective, located, entry)
    for longer in find_longer_tables(evaluate(workspace.state, name), entry):
        if longer.table.is_plain and not longer.table.insecure and not longer.table.blocked:
            workspace = _trust(workspace, longer)
    return workspace


def remove_registry(workspace: Workspace, name: str, address: Address) -> Workspace:
    """Stop trusting one registry. Raises RefusedError for one that is trusted only through a table about others too.

    Of a registry that others' tables trust, what this tool added for its parts is removed.
    """
    entry = address.entry
    effective = evaluate(workspace.state, name)
    ours = [one for one in find_longer_tables(effective, entry) if _is_removable(workspace, name, one, entry)]
    own = effective.tables.get(entry)
    covering = own or find_table(effective, entry)
    if covering is None or (covering is not own and covering.table.insecure) or entry in effective.own_list:
        record = workspace.state.records.get(name)
        if not record or not any(one.table.prefix in record.entries for one in ours):
            place = f"'{covering.table.prefix}' in {covering.path}" if covering else "insecure_registries of crio.conf"
            message = f"{entry} is trusted through {place}, which is for other registries too"
            raise RefusedError("removal-unclear", message, "edit that file by hand")
    for longer in ours:
        workspace = _distrust(workspace, name, longer)
    # an earlier file may have a table with this prefix, which counts once the later one is gone
    for _ in effective.files:
        located = evaluate(workspace.state, name).tables.get(entry)
        if located is None or not located.table.insecure:
            break
        workspace = _distrust(workspace, name, located)
    return workspace


def build_drop_in_path(folder: str, entry: str) -> str:
    """Return the path of the drop-in for a registry."""
    return f"{folder}/50-{entry}.conf"


def _add(workspace: Workspace, effective: Effective, located: Located | None, entry: str) -> Workspace:
    if located and located.table.prefix == entry and located.table.index is not None:
        return _trust(workspace, located)
    if effective.is_v1:
        return _edit(workspace, effective.main, "its list has the insecure registries", lambda t: add_to_list(t, entry))
    path = build_drop_in_path(effective.folder, entry)
    reason = f"a file of its own for {entry} over plain HTTP"
    if workspace.file(path).exists:
        return _edit(workspace, path, reason, lambda toml: append_table(toml, entry))
    return workspace.write(path, render_table(entry), reason)


def _trust(workspace: Workspace, located: Located) -> Workspace:
    reason = f"its table for {located.table.prefix} counts"
    return _edit(workspace, located.path, reason, lambda toml: trust_table(toml, located.table.index or 0))


def _distrust(workspace: Workspace, name: str, located: Located) -> Workspace:
    path, prefix, index = located.path, located.table.prefix, located.table.index
    content, record = workspace.file(path).content or b"", workspace.state.records.get(name)
    if is_table_alone(content, prefix) and record and path in record.created_files:
        return workspace.delete(path, _REMOVED)
    if content == render_table(prefix).encode():
        if _is_created(workspace, name, path):
            return workspace.delete(path, _REMOVED)
        return workspace.write(path, "", _REMOVED)
    if index is None:
        return _edit(workspace, path, _REMOVED, lambda toml: remove_from_list(toml, prefix))
    return _edit(
        workspace, path, _REMOVED, lambda toml: remove_appended_table(toml, prefix) or distrust_table(toml, index)
    )


def _is_removable(workspace: Workspace, name: str, located: Located, entry: str) -> bool:
    """Whether the trust in a part of a registry goes with it: all of it, or that of this tool if it recorded some."""
    table, record = located.table, workspace.state.records.get(name)
    if not table.insecure or not table.is_plain:
        return False
    recorded = [one for one in (record.entries if record else ()) if f"{one}/".startswith(f"{entry}/")]
    return not recorded or table.prefix in recorded


def _is_created(workspace: Workspace, name: str, path: str) -> bool:
    """Whether a file that has nothing but a table of this tool may be deleted."""
    record = workspace.state.records.get(name)
    return record is None or path in record.created_files or path not in record.file_hashes


def _edit(workspace: Workspace, path: str, reason: str, edit: Callable[[TomlFile], bytes]) -> Workspace:
    try:
        content = edit(parse_toml(workspace.file(path).content or b""))
    except FormatError as error:
        raise refuse_file(path, error) from None
    return workspace.write(path, decode(content), reason)

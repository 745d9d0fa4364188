"""config_path as it was before this tool changed it, once no registry needs the directory that it names."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from harbor_agent.formats.text import FormatError, decode
from harbor_agent.formats.toml.edits import remove_key, remove_table, set_value
from harbor_agent.model.state import EarlierSetting, FileKind, FileState, Record
from harbor_agent.planning.containerd.edits.earlier import choose_original, list_names
from harbor_agent.planning.containerd.edits.opening import find_registry_path, open_directories, write_settings
from harbor_agent.planning.containerd.effective import DEFAULT_ROOT, evaluate
from harbor_agent.planning.containerd.state import find_record
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harbor_agent.formats.containerd.config import ConfigFile
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

CLOSED = "config_path is as it was before this tool, because no registry needs its directory any more"


def close_directories(workspace: Workspace, removed: Collection[str]) -> Workspace:
    """Restore config_path, if this tool changed it and the directory that it names holds nothing of others.

    All registries of this tool must be among the removed ones. In a file system tree, which has no record, a file that
    is exactly what this tool writes is its own. Of the texts that the file may have had before, the one with the
    recorded hash is chosen; if others have edited the file since, the one to which adding config_path leads exactly
    here.
    """
    record = find_record(workspace.state) or Record()
    effective = evaluate(workspace.state)
    home = effective.home
    if not removed or not set(record.entries) <= set(removed) or home is None or not effective.roots:
        return workspace
    earlier = record.earlier_settings.get(home.path)
    if earlier is None and workspace.state.offline and home.toml.text == write_settings(effective, DEFAULT_ROOT):
        earlier = EarlierSetting(value=None)
    if earlier is None:
        return workspace
    if effective.registry.get("config_path") != (earlier.value or DEFAULT_ROOT).split(":")[0]:
        return workspace
    candidates = list(_list_candidates(workspace, home, effective, earlier))
    chosen = choose_original(candidates, home.path) or _find_reversible(workspace, candidates, home.path)
    if chosen is None:
        return workspace
    closed = _delete_copies(chosen, evaluate(chosen.state), record)
    return workspace if _is_used(closed.state, effective.roots[0], earlier.names) else closed


def _list_candidates(
    workspace: Workspace, home: ConfigFile, effective: Effective, earlier: EarlierSetting
) -> Iterator[Workspace]:
    """Yield the node without our config_path, the barest file first."""
    table = find_registry_path(home, effective)
    path = (*table, "config_path")
    text, added = decode(home.toml.encode(home.toml.text)), write_settings(effective, effective.roots[0])
    if text == added:
        yield workspace.delete(home.path, CLOSED)
    if text.endswith(added):
        before = text.removesuffix(added).removesuffix("\n")
        yield workspace.write(home.path, before, CLOSED)
        yield workspace.write(home.path, before.removesuffix("\n"), CLOSED)
    with suppress(FormatError):
        if earlier.value is not None:
            yield workspace.write(home.path, decode(set_value(home.toml, path, earlier.value)), CLOSED)
            return
    with suppress(FormatError):
        if set(home.plugins[table[1]]["registry"]) == {"config_path"}:
            yield workspace.write(home.path, decode(remove_table(home.toml, table)), CLOSED)
    with suppress(FormatError):
        yield workspace.write(home.path, decode(remove_key(home.toml, path)), CLOSED)


def _find_reversible(workspace: Workspace, candidates: Sequence[Workspace], path: str) -> Workspace | None:
    """Return the first candidate from which adding config_path leads here, else the one that changes least."""
    for candidate in candidates:
        try:
            again = open_directories(candidate, evaluate(candidate.state)).workspace
        except RefusedError:
            continue
        if again.file(path).content == workspace.file(path).content:
            return candidate
    return candidates[-1] if candidates else None


def _delete_copies(workspace: Workspace, effective: Effective, record: Record) -> Workspace:
    """Delete the files that were copied from the other directories of a list, if they are still the same."""
    first, *others = effective.config_path.split(":")
    for path in record.created_files:
        rest = path.removeprefix(f"{first}/")
        sources = [workspace.file(f"{other}/{rest}") for other in others]
        content = workspace.file(path).content
        if rest != path and any(source.exists and source.content == content for source in sources):
            workspace = workspace.delete(path, CLOSED)
    return workspace


def _is_used(state: NodeState, root: str, unread: tuple[str, ...]) -> bool:
    """Whether the directory has anything but names that were not read before either, and empty directories of ours.

    What is in a directory is known of the registries that were named; any other one is in use.
    """
    for name in set(list_names(state, root)) - set(unread):
        file = state.files.get(f"{root}/{name}") or FileState(path=f"{root}/{name}", kind=FileKind.DIRECTORY)
        below = [one for path, one in state.files.items() if path.startswith(f"{root}/{name}/")]
        if file.kind is not FileKind.DIRECTORY or not below or any(one.exists for one in below):
            return True
    return False

"""What files were before this tool changed them: recorded with a change, and found again when it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.containerd.config import PLUGIN_NAMES, read_config
from harbor_agent.formats.containerd.earlier import list_earlier_forms
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.model.state import EarlierSetting, FileState
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.hosts import exists
from harbor_agent.planning.containerd.state import find_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace


def note_original_hashes(state: NodeState, changes: Iterable[FileChange]) -> dict[str, str]:
    """Return the hashes to record: of each file before the first change, without those that are as they were."""
    record = find_record(state)
    found = dict(record.original_hashes) if record and (record.entries or record.created_files) else {}
    for change in changes:
        found.setdefault(change.path, change.before.digest)
        if found[change.path] == change.after.digest:
            del found[change.path]
    return found


def note_earlier_settings(
    state: NodeState, changes: Iterable[FileChange], after: Effective
) -> dict[str, EarlierSetting]:
    """Return the settings to record: those of the record and of the changes, without those that are as they were."""
    record = find_record(state)
    found = dict(record.earlier_settings) if record else {}
    # what was repaired stays repaired
    is_repair = bool(evaluate(state).conflict)
    for change in changes:
        was, now = _read_config_path(change.before), _read_config_path(change.after)
        is_new = change.path not in found and change.path in {file.path for file in after.files}
        if is_new and was != now and not is_repair:
            names = tuple(sorted(set(list_names(state, after.roots[0])))) if after.roots else ()
            found[change.path] = EarlierSetting(value=was, names=names)
        elif change.path in found and now == found[change.path].value:
            del found[change.path]
    return found


def find_kept_changes(state: NodeState, changes: Sequence[FileChange]) -> list[Problem]:
    """Return the warning about files that are not as they were before this tool, once it trusts no registry any more.

    A repair is not undone with the last registry: without it CRI would not load, or a file would be broken again.
    """
    after = {change.path: change.after for change in changes}
    kept = [
        path
        for path, digest in note_original_hashes(state, changes).items()
        if (after.get(path) or state.files.get(path) or FileState(path=path)).digest != digest
    ]
    if not kept:
        return []
    return [
        Problem(
            code="repair-kept",
            message=f"not as before the first change of this tool: {', '.join(kept)}",
            hint="a repair stays, and so do edits of others; if containerd works with the files from before, "
            "'harbor-agent rollback --pristine' restores them",
        )
    ]


def restore_hosts_file(workspace: Workspace, path: str, address: Address, reason: str) -> Workspace | None:
    """Return the workspace with a hosts.toml as it was, None if it was created by this tool or is not known."""
    content = workspace.file(path).content
    candidates = (workspace.write(path, decode(form), reason) for form in list_earlier_forms(content or b"", address))
    return choose_original(candidates, path) if content else None


def choose_original(candidates: Iterable[Workspace], path: str) -> Workspace | None:
    """Return the candidate whose file has the recorded hash, None if no hash is recorded or no candidate has it."""
    for candidate in candidates:
        record = find_record(candidate.state)
        if record and record.original_hashes.get(path) == candidate.file(path).digest:
            return candidate
    return None


def was_there_before(state: NodeState, path: str) -> bool:
    """Whether a file is recorded as one that was there before this tool changed it."""
    record = find_record(state)
    return record is not None and record.original_hashes.get(path, "absent") != "absent"


def list_names(state: NodeState, root: str) -> Iterator[str]:
    """Yield the names in a directory, with repetitions."""
    for path in state.files:
        name = path.removeprefix(f"{root}/").partition("/")[0]
        if path.startswith(f"{root}/") and exists(state, f"{root}/{name}"):
            yield name


def _read_config_path(file: FileState) -> str | None:
    """Return config_path as a configuration file sets it, None if it does not."""
    try:
        plugins: Mapping[str, object] = read_config(file.path, file.content or b"").plugins
    except FormatError:
        return None
    tables = [plugins[name] for name in dict.fromkeys(PLUGIN_NAMES.values()) if name in plugins]
    registries = [table.get("registry", {}) for table in tables if isinstance(table, dict)]
    return next((one["config_path"] for one in reversed(registries) if "config_path" in one), None)

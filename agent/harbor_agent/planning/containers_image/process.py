"""What a running CRI-O has read of its files, and what podman itself reads in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.runtimes.containers_image import PODMAN
from harbor_agent.planning.containers_image.effective import evaluate, find_prefix, list_recorded, summarize
from harbor_agent.planning.containers_image.state import find_runtime_state
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective

_RUNS = ("active", "reloading", "activating")


def list_live_entries(state: NodeState, name: str) -> tuple[str, ...] | None:
    """Return the registries that the runtime pulls from over plain HTTP; None if that is not known.

    A CRI-O that was not reloaded since its start has read the files as they were then.
    """
    found, record = find_runtime_state(state, name), state.records.get(name)
    if found is None or state.offline:
        return None
    if found.registries is not None:
        entries = [prefix for prefix, is_insecure in found.registries.items() if is_insecure]
        entries += [one for one in list_recorded(record) if one not in entries and _is_insecure(found.registries, one)]
        return tuple(entries)
    try:
        effective = evaluate(state, name)
    except RefusedError:
        return None
    return summarize(effective, record).entries if has_read_files(state, name, effective) else None


def has_read_files(state: NodeState, name: str, effective: Effective) -> bool:
    """Whether a CRI-O that was never reloaded started after the last change of its files."""
    found = find_runtime_state(state, name)
    if found is None or name == PODMAN or found.argv is None or found.changed_files is None:
        return False
    folders = (f"{effective.folder}/",)
    return not any(path == effective.main or path.startswith(folders) for path in found.changed_files)


def is_live(state: NodeState, name: str, entry: str) -> bool | None:
    """Whether the runtime pulls from the registry over plain HTTP; None if neither it nor its files say."""
    found = find_runtime_state(state, name)
    if found and found.registries is not None:
        return _is_insecure(found.registries, entry)
    live = list_live_entries(state, name)
    return None if live is None else find_prefix(live, entry) is not None


def find_stopped_daemon(state: NodeState, name: str) -> Problem | None:
    """Return why nothing is done on a node whose unit is not up: only a daemon that runs shows what a change did."""
    found = find_runtime_state(state, name)
    unit = found.unit if found and not state.offline else None
    if unit is None or unit.active_state in _RUNS:
        return None
    return Problem(
        code="runtime-not-running",
        message=f"{unit.name} does not run ({unit.active_state})",
        hint=f"'systemctl status {unit.name}' says why; fix that, run 'systemctl start {unit.name}', and plan again",
    )


def _is_insecure(registries: Mapping[str, bool], entry: str) -> bool:
    prefix = find_prefix(registries, entry)
    return prefix is not None and registries[prefix]

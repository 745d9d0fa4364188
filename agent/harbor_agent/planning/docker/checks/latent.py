"""Edits on disk that the running dockerd has not read: a restart would apply them together with the planned change.

If dockerd does not start with such an edit, restoring the files that were changed does not bring it back.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import INSECURE_REGISTRY, parse_arguments
from harbor_agent.formats.docker.daemon_json import DEAD_KEY, INSECURE_REGISTRIES, LIVE_RESTORE, REGISTRY_MIRRORS
from harbor_agent.planning.docker.state import find_docker, find_record

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.formats.docker.arguments import DaemonArguments
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

# Keys whose values are judged completely from the text; any other may stop a start, such as storage-driver or bip.
_JUDGED_KEYS = frozenset({DEAD_KEY, INSECURE_REGISTRIES, LIVE_RESTORE, REGISTRY_MIRRORS})


def find_changed_files(state: NodeState, effective: Effective) -> list[str]:
    """Return the files of somebody else that a start would read and that changed after dockerd started."""
    docker, record = find_docker(state), find_record(state)
    changed = docker.changed_files if docker and not state.offline else None
    ours = record.file_hashes if record else {}
    read = (effective.unit.fragment, *effective.unit.drop_ins, *effective.environment_files, effective.config_path)
    return [path for path in dict.fromkeys(read) if path in (changed or ()) and ours.get(path) != _hash(state, path)]


def find_latent_edits(
    state: NodeState, before: Effective, after: Effective | None = None, restored: Collection[str] = ()
) -> tuple[str, ...]:
    """Describe the edits over which nothing is restarted without consent.

    These are arguments other than the registries that the running dockerd does not have, and a configuration file that
    changed after it started and has keys which only a start proves. A rollback undoes edits: `after` is what it leaves,
    and `restored` are the files that it replaces as a whole.
    """
    found = []
    keys = set(before.config.keys) if before.config else set()
    changed = set(find_changed_files(state, before)).difference(restored)
    # rule DD-30
    if before.config_path in changed and keys - _JUDGED_KEYS:
        names = ", ".join(sorted(keys - _JUDGED_KEYS))
        found.append(f"{before.config_path} changed after dockerd started, and has {names}")
    docker = find_docker(state)
    live = docker.argv if docker and not state.offline else None
    starts = [before, *([after] if after else [])]
    if live and all(_has_unread_arguments(live, start) for start in starts):
        found.append(f"dockerd would start as: {' '.join(starts[-1].argv)}")
    return tuple(found)


def _has_unread_arguments(live: tuple[str, ...], start: Effective) -> bool:
    is_known = not start.daemon.launcher and not any("%" in one for one in start.argv)
    return is_known and _list_foreign(parse_arguments(live)) != _list_foreign(start.daemon)


def _list_foreign(arguments: DaemonArguments) -> tuple[tuple[str, str], ...]:
    flags = ((flag.name, flag.value) for flag in arguments.flags if flag.name != INSECURE_REGISTRY)
    return (*flags, *(("", operand) for operand in arguments.operands))


def _hash(state: NodeState, path: str) -> str:
    file = state.files.get(path)
    return hashlib.sha256((file.content or b"") if file else b"").hexdigest()

"""What a change of the files is to bring, and the plan made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.model.runtimes.containers_image import CRIO, CRIO_UNIT, PODMAN_UNIT
from harbor_agent.model.state import FileKind
from harbor_agent.planning.containers_image.certificates import CERTIFICATES, DOCKER_CERTIFICATES
from harbor_agent.planning.containers_image.state import FOLDER, find_runtime_state
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings, require_unmanaged
from harbor_agent.planning.files.workspace import require_plain_paths
from harbor_agent.planning.trust_store import is_in_store, warn_of_reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import FileChange, Route
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective

_READ_AT_PULL = (f"{CERTIFICATES}/", f"{DOCKER_CERTIFICATES}/")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The changes of a plan, and what must be trusted afterwards.

    `is_unread` says that CRI-O has not read the files, although nothing changes.
    """

    changes: tuple[FileChange, ...]
    route: Route
    reason: str
    expected: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    is_unread: bool = False


def build_plan(node: str, state: NodeState, outcome: Outcome, after: Effective, name: str) -> Plan:
    """Build the plan. Raises RefusedError for files that may not be changed."""
    record, changes, runtime = state.records.get(name), outcome.changes, find_runtime_state(state, name)
    require_plain_paths(change.path for change in changes)
    require_unmanaged(changes)
    # certificates are read at each pull
    unread = [one.path for one in changes if not one.path.startswith(_READ_AT_PULL) and not is_in_store(one.path)]
    reloads = name == CRIO and bool(outcome.is_unread or unread) and not _is_watched(state, after, unread)
    gone = {change.path for change in changes if change.after.kind is FileKind.ABSENT}
    created = [*(record.created_files if record else ()), *(one.path for one in changes if not one.before.exists)]
    removed = tuple(f"{entry}/" for entry in outcome.unexpected)
    owned = [entry for entry in (record.entries if record else ()) if not f"{entry}/".startswith(removed)]
    own_unit = runtime.unit.name if runtime and runtime.unit else CRIO_UNIT
    return Plan(
        node=node,
        activation=Activation(
            runtime=name,
            unit=own_unit if name == CRIO else PODMAN_UNIT,
            action=Action.RELOAD if reloads else Action.NONE,
            config_file=after.main,
            expected=outcome.expected,
            unexpected=outcome.unexpected,
        ),
        changes=changes,
        route=outcome.route,
        reason=outcome.reason,
        owned_entries=tuple(dict.fromkeys([*owned, *outcome.added])),
        created_files=tuple(path for path in dict.fromkeys(created) if path not in gone),
        warnings=(
            *find_manager_warnings(changes),
            *find_volatile_changes(changes, state.volatile),
            # each podman is a new process
            *warn_of_reading(changes, name, restarts=name != CRIO and not state.offline, offline=state.offline),
        ),
    )


def _is_watched(state: NodeState, after: Effective, paths: Sequence[str]) -> bool:
    """Whether CRI-O reads these changes on its own: those in the folder of drop-ins, if that was there at its start.

    cri-o/cri-o, server/server.go, startWatcherForMirrorRegistries: the main file is not watched.
    """
    # rule RC-31
    had_folder = any(file.exists and path.startswith(f"{FOLDER}/") for path, file in state.files.items())
    return after.watches_folder and had_folder and bool(paths) and all(one.startswith(f"{FOLDER}/") for one in paths)

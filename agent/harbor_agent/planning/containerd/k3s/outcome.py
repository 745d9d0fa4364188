"""What is to be done on a node with k3s or RKE2, as a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.model.state import FileKind
from harbor_agent.planning.containerd.k3s.effective import view_containerd
from harbor_agent.planning.containerd.k3s.process import find_latent_edits
from harbor_agent.planning.containerd.k3s.settings import list_units, require_k3s
from harbor_agent.planning.containerd.process import are_containers_known, find_kill_mode, find_stops
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings, require_unmanaged
from harbor_agent.planning.files.workspace import require_plain_paths
from harbor_agent.planning.trust_store import warn_of_reading

if TYPE_CHECKING:
    from harbor_agent.model.plan import FileChange, Route
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective


@dataclass(frozen=True, slots=True)
class Outcome:
    """The changes, the action, and why; `added` are the registries that become trusted by them.

    `restores`: the changes replace whole files by earlier ones.
    """

    changes: tuple[FileChange, ...]
    action: Action
    route: Route
    reason: str
    expected: tuple[str, ...]
    unexpected: tuple[str, ...]
    added: tuple[str, ...] = ()
    restores: bool = False


def build_plan(node: str, state: NodeState, outcome: Outcome, before: Effective, name: str) -> Plan:
    """Build the plan. Raises RefusedError for files that may not be changed."""
    changes, record = outcome.changes, state.records.get(name)
    restarts, view, unit = outcome.action is Action.RESTART, view_containerd(state, name), require_k3s(state, name).unit
    require_plain_paths(change.path for change in changes)
    folder = f"{before.settings.folder}/"
    passing = tuple(change.path for change in changes if change.path.startswith(folder))  # rule KR-08
    lasting = tuple(change for change in changes if change.path not in passing)
    require_unmanaged(lasting)
    owned = [entry for entry in (record.entries if record else ()) if entry not in outcome.unexpected]
    gone = {change.path for change in lasting if change.after.kind is FileKind.ABSENT}
    created = [*(record.created_files if record else ()), *(one.path for one in lasting if not one.before.exists)]
    restored = [change.path for change in changes] if outcome.restores else []
    reason = outcome.reason
    if restarts and unit.name == list_units(name)[0]:
        reason = f"{reason}; a restart of {unit.name} is one of the API server and of etcd too"
    return Plan(
        node=node,
        activation=Activation(
            runtime=name,
            unit=unit.name,
            action=outcome.action,
            config_file=before.settings.registries,
            expected=outcome.expected,
            unexpected=outcome.unexpected,
            kill_mode=find_kill_mode(view) if restarts else "",
            stops=find_stops(view) if restarts else (),
        ),
        changes=changes,
        route=outcome.route,
        reason=reason,
        owned_entries=tuple(dict.fromkeys((*owned, *outcome.added))),
        created_files=tuple(path for path in dict.fromkeys(created) if path not in gone),
        passing_files=passing,
        containers_seen=are_containers_known(view),
        latent_edits=find_latent_edits(state, name, before, restored) if restarts and not state.offline else (),
        warnings=(
            *find_manager_warnings(lasting),
            *find_volatile_changes(lasting, state.volatile),
            *warn_of_reading(changes, name, restarts=restarts, offline=state.offline),
        ),
    )

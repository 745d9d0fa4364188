"""A rollback as a plan like any other: earlier files, and the action that applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Activation, Plan, Refusal, Route
from harbor_agent.model.runtimes.containerd import NAME
from harbor_agent.planning.containerd.checks import require_plannable
from harbor_agent.planning.containerd.edits.earlier import note_earlier_settings, note_original_hashes
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.in_effect import summarize
from harbor_agent.planning.containerd.process import (
    are_containers_known,
    find_kill_mode,
    find_latent_edits,
    find_stopped_daemon,
    find_stops,
    has_read_config,
)
from harbor_agent.planning.containerd.state import find_record, require_containerd
from harbor_agent.planning.files.restoration import apply_changes, list_restorations
from harbor_agent.planning.files.workspace import require_plain_paths
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.trust_store import warn_of_reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import FileState, NodeState


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed, in reverse.

    Files that are as they were are left alone. A configuration with which the CRI plugin does not load is not restored.
    """
    try:
        require_plannable(state)
        changes = list_restorations(state, earlier, reason)
        return _build_plan(node, state, changes, reason)
    except RefusedError as refused:
        return Refusal(node=node, runtime=NAME, problem=mask_problem(refused.problem))


def _build_plan(node: str, state: NodeState, changes: tuple[FileChange, ...], reason: str) -> Plan:
    restored = apply_changes(state, changes)
    before, after = evaluate(state), evaluate(restored)
    if changes and after.conflict:
        message = f"containerd would not load its CRI plugin with the earlier files: {after.conflict}"
        raise RefusedError("runtime-config-conflict", message, "restore the files by hand if that is intended")
    if changes and (stopped := find_stopped_daemon(state)):
        raise RefusedError.from_problem(stopped)
    configuration = {after.config_file, *(file.path for file in (*before.files, *after.files))}
    restarts = any(change.path in configuration for change in changes) or (
        bool(changes) and not has_read_config(state, before)
    )
    require_plain_paths((after.config_file, *(change.path for change in changes)))
    then, now = summarize(restored, after).entries, summarize(state, before).entries
    gone = tuple(entry for entry in now if entry not in then)
    record = find_record(state)
    absent = {change.path for change in changes if not change.after.exists}
    return Plan(
        node=node,
        activation=Activation(
            runtime=NAME,
            unit=require_containerd(state).unit.name,
            action=Action.RESTART if restarts else Action.NONE,
            config_file=after.config_file,
            expected=then,
            unexpected=gone,
            kill_mode=find_kill_mode(state) if restarts else "",
            stops=find_stops(state) if restarts else (),
        ),
        changes=changes,
        route=Route.NONE,
        reason=reason,
        containers_seen=are_containers_known(state),
        latent_edits=find_latent_edits(state, before, [change.path for change in changes]) if restarts else (),
        owned_entries=tuple(entry for entry in (record.entries if record else ()) if entry not in gone),
        created_files=tuple(path for path in (record.created_files if record else ()) if path not in absent),
        original_hashes=note_original_hashes(state, changes),
        earlier_settings=note_earlier_settings(state, changes, after),
        warnings=tuple(warn_of_reading(changes, "containerd", restarts=restarts)),
    )

"""A rollback as a plan like any other: earlier files, and the action that applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.address import DOCKER_HUB_NAMES
from harbor_agent.model.plan import Action, Activation, Plan, Refusal, Route
from harbor_agent.model.runtimes.docker import NAME
from harbor_agent.planning.docker.action import choose_action, find_stopped_daemon
from harbor_agent.planning.docker.checks.certificates import FOLDER
from harbor_agent.planning.docker.checks.latent import find_latent_edits
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.in_effect import summarize
from harbor_agent.planning.docker.live_restore import are_containers_listed, find_disruption
from harbor_agent.planning.docker.startup import find_start_faults
from harbor_agent.planning.docker.state import find_docker, find_record
from harbor_agent.planning.files.restoration import apply_changes, list_restorations
from harbor_agent.planning.files.workspace import require_plain_paths
from harbor_agent.planning.kubelet_login import is_login_file
from harbor_agent.planning.refusal import RefusedError, find_pending_transaction
from harbor_agent.planning.trust_store import is_in_store, warn_of_reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import FileState, NodeState
    from harbor_agent.planning.docker.effective import Effective


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed, in reverse.

    Entries that it removes must not be in the live list afterwards, and a SIGHUP does not revoke a deleted key
    (moby#36632), so such a rollback restarts. Files that are as they were are left alone.
    """
    try:
        _require_docker(state)
        changes = list_restorations(state, earlier, reason)
        return _build_plan(node, state, apply_changes(state, changes), changes, reason)
    except RefusedError as refused:
        return Refusal(node=node, runtime=NAME, problem=mask_problem(refused.problem))


def _require_docker(state: NodeState) -> None:
    if find_docker(state) is None:
        raise RefusedError("docker-absent", "there is no docker on the node", "remove it from the inventory")
    if pending := find_pending_transaction(state):
        raise RefusedError.from_problem(pending)


def _build_plan(node: str, state: NodeState, restored: NodeState, changes: tuple[FileChange, ...], reason: str) -> Plan:
    before, after = evaluate(state), evaluate(restored)
    for fault in find_start_faults(restored, after):
        problem: Problem = fault.problem
        raise RefusedError(problem.code, f"dockerd would not start with it: {problem.message}", problem.hint)
    # dockerd reads certificates at each pull, and no login of kubelet
    settings = [
        one
        for one in changes
        if not (one.path.startswith(f"{FOLDER}/") or is_in_store(one.path) or is_login_file(one.path))
    ]
    action = choose_action(state, before, after, live_is_right=False) if settings else Action.NONE
    if changes and (stopped := find_stopped_daemon(state)):
        raise RefusedError.from_problem(stopped)
    require_plain_paths((after.config_path, *(change.path for change in changes)))
    then, before_it = _list_expected(state, after), _list_expected(state, before)
    gone = [entry for entry in before_it if entry not in then]
    record = find_record(state)
    absent = {change.path for change in changes if not change.after.exists}
    live_restore, stops = find_disruption(state, action, after)
    return Plan(
        node=node,
        activation=Activation(
            runtime=NAME,
            unit=after.unit.name,
            action=action,
            config_file=after.config_path,
            expected=then,
            unexpected=tuple(gone),
            arguments=after.argv,
            live_restore=live_restore,
            stops=stops,
        ),
        changes=changes,
        route=Route.NONE,
        reason=reason,
        containers_seen=are_containers_listed(state),
        latent_edits=find_latent_edits(state, before, after, [change.path for change in changes]),
        owned_entries=tuple(entry for entry in (record.entries if record else ()) if entry not in gone),
        created_files=tuple(path for path in (record.created_files if record else ()) if path not in absent),
        warnings=tuple(warn_of_reading(changes, "dockerd", restarts=action is Action.RESTART)),
    )


def _list_expected(state: NodeState, effective: Effective) -> tuple[str, ...]:
    """Return the entries that dockerd will list; it replaces Docker Hub's by its own, and blanks name nothing."""
    entries = summarize(state, effective).entries
    return tuple(entry for entry in entries if entry not in DOCKER_HUB_NAMES and entry.split() == [entry])

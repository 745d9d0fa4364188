"""Planning for CRI-O and podman: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Activation, FileChange, Plan, Refusal, Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.runtimes.containers_image import CRIO
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.containers_image.edits import add_registry, remove_registry
from harbor_agent.planning.containers_image.effective import (
    evaluate,
    find_table,
    is_trusted,
    is_trusted_by_table,
    summarize,
)
from harbor_agent.planning.containers_image.state import MACHINE_CONFIG, find_runtime_state
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings, require_unmanaged
from harbor_agent.planning.files.workspace import Workspace, require_plain_paths, require_writable
from harbor_agent.planning.network.proxy import ProxySettings
from harbor_agent.planning.network.reachability import find_reachability_problems
from harbor_agent.planning.refusal import RefusedError, find_pending_transaction
from harbor_agent.planning.runtime import takes_effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective
    from harbor_agent.planning.files.render import Templates

_CLUSTER_HINT = (
    "let the cluster write it: oc edit image.config.openshift.io/cluster, and add the registry to "
    "spec.registrySources.insecureRegistries"
)
_BY_HAND = "configure the registry by hand on this node"
_UNIT = "crio.service"


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates, name: str) -> Plan | Refusal:
    """Plan one node for the runtime of this name. Never raises for what is on the node."""
    decision: Plan | Refusal
    try:
        decision = _plan(node, state, desired, templates, name)
    except RefusedError as refused:
        decision = Refusal(node=node, runtime=name, problem=mask_problem(refused.problem))
    return replace(decision, warnings=tuple(mask_problem(warning) for warning in decision.warnings))


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str, name: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed, in reverse."""
    try:
        _require_plannable(state)
        changes = []
        for file in reversed(earlier):
            now = state.files.get(file.path) or FileState(path=file.path)
            if now != file:
                require_writable(now)
                changes.append(FileChange(before=now, after=file, reason=reason))
        restored = replace(state, files={**state.files, **{change.path: change.after for change in changes}})
        after = evaluate(restored, name)
        then, now_trusted = summarize(after).entries, _list_trusted(state, name)
        gone = tuple(entry for entry in now_trusted if entry not in then)
        outcome = _Outcome(tuple(changes), Route.NONE, reason, expected=then, unexpected=gone)
        return _build_plan(node, state, outcome, after, name)
    except RefusedError as refused:
        return Refusal(node=node, runtime=name, problem=mask_problem(refused.problem))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The changes of a plan, and what must be trusted afterwards."""

    changes: tuple[FileChange, ...]
    route: Route
    reason: str
    expected: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def _plan(node: str, state: NodeState, desired: DesiredState, templates: Templates, name: str) -> Plan:
    _require_plannable(state)
    before = evaluate(state, name)
    if desired.certificates:
        message = f"the CA of {', '.join(desired.certificates)} cannot be given to {name} yet"
        hint = "put it into /etc/containers/certs.d by hand, and leave ca_file out for this node"
        raise RefusedError("ca-not-distributed", message, hint)
    present = [address for address in desired.present if address.needs_node_change]
    kept = {address.entry for address in present}
    absent = [one for one in desired.absent if not one.is_docker_hub and one.literal is None and one.entry not in kept]
    missing = [address for address in present if not is_trusted(before, address)]
    removable = [address for address in absent if is_trusted(before, address)]
    workspace = Workspace(original=state, state=state, templates=templates)
    route, reason = Route.NONE, _describe_unchanged([a.entry for a in present], [a.entry for a in absent])
    if missing or removable:
        _require_unmanaged_node(state)
        if missing and desired.route is not RouteChoice.AUTO:
            message = f"--route {desired.route}: {name} reads no such file"
            raise RefusedError("route-ineffective", message, "use --route auto")
        for address in removable:
            workspace = remove_registry(workspace, name, address)
        for address in missing:
            workspace = add_registry(workspace, name, address)
        route, reason = Route.REGISTRIES_CONF, f"{name} reads its registries there"
    after = evaluate(workspace.state, name)
    _require_trusted(after, missing)
    entries = [address.entry for address in (*missing, *removable)]
    covered = [a.entry for a in removable if is_trusted_by_table(after, a.entry)]
    _require_sound(before, after, [a.entry for a in removable if a.entry not in covered], entries)
    outcome = _Outcome(
        workspace.changes(),
        route,
        reason,
        expected=tuple(address.entry for address in present),
        unexpected=tuple(address.entry for address in absent if address.entry not in covered),
        added=tuple(one for one in summarize(after).entries if one not in summarize(before).entries),
    )
    decision = _build_plan(node, state, outcome, after, name)
    reachability = find_reachability_problems(desired.present, state.reachability, ProxySettings())
    warnings = (*reachability, *_find_still_covered(after, covered), *decision.warnings)
    return replace(decision, warnings=warnings)


def _require_plannable(state: NodeState) -> None:
    if pending := find_pending_transaction(state):
        raise RefusedError.from_problem(pending)


def _require_unmanaged_node(state: NodeState) -> None:
    """Refuse a node whose files belong to OpenShift's machine-config operator, which reverts or reports any edit."""
    marker = state.files.get(MACHINE_CONFIG)
    if marker and marker.exists:
        message = f"the machine-config operator of the cluster owns the node's files ({MACHINE_CONFIG})"
        raise RefusedError("file-managed", message, _CLUSTER_HINT)


def _find_still_covered(after: Effective, entries: list[str]) -> Iterator[Problem]:
    for entry in entries:
        if located := find_table(after, entry):
            message = f"{entry} stays trusted through '{located.table.prefix}' in {located.path}"
            hint = "if no other registry needs it, remove that table by hand"
            yield Problem(code="still-covered", message=message, hint=hint)


def _require_trusted(after: Effective, missing: Sequence[Address]) -> None:
    """Refuse a plan that would leave a registry untrusted, as a wildcard of the length of its name does."""
    for address in missing:
        if not is_trusted(after, address):
            located = find_table(after, address.entry)
            winner = f"'{located.table.prefix}' in {located.path}" if located else "another table"
            message = f"the change would not take effect: {winner} counts for {address.entry}"
            raise RefusedError("settings-would-change", message, _BY_HAND)


def _require_sound(before: Effective, after: Effective, removed: list[str], entries: list[str]) -> None:
    """Refuse a plan that would change other registries or settings."""
    now, then = summarize(before), summarize(after)
    differing = set(now.entries) ^ set(then.entries)
    is_ours = all(any(one == entry or one.startswith(f"{entry}/") for entry in entries) for one in differing)
    if not is_ours or not takes_effect(now, then, removed=removed):
        message = "the change would not take effect, or would change other settings of registries.conf"
        raise RefusedError("settings-would-change", message, _BY_HAND)


def _list_trusted(state: NodeState, name: str) -> tuple[str, ...]:
    """Return the insecure registries, none if the files cannot be read: a restoration may be what fixes them."""
    try:
        return summarize(evaluate(state, name)).entries
    except RefusedError:
        return ()


def _describe_unchanged(present: list[str], absent: list[str]) -> str:
    sentences = [f"{', '.join(present)} is already trusted"] * bool(present)
    sentences += [f"{', '.join(absent)} is not trusted"] * bool(absent)
    return "; ".join(sentences) or "nothing to do"


def _build_plan(node: str, state: NodeState, outcome: _Outcome, after: Effective, name: str) -> Plan:
    record, changes, runtime = state.records.get(name), outcome.changes, find_runtime_state(state, name)
    require_plain_paths(change.path for change in changes)
    require_unmanaged(changes)
    reloads = name == CRIO and changes and not after.reloads
    gone = {change.path for change in changes if change.after.kind is FileKind.ABSENT}
    created = [*(record.created_files if record else ()), *(one.path for one in changes if not one.before.exists)]
    removed = tuple(f"{entry}/" for entry in outcome.unexpected)
    owned = [entry for entry in (record.entries if record else ()) if not f"{entry}/".startswith(removed)]
    return Plan(
        node=node,
        activation=Activation(
            runtime=name,
            unit=(runtime.unit.name if runtime and runtime.unit else _UNIT) if name == CRIO else "",
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
        warnings=(*find_manager_warnings(changes), *find_volatile_changes(changes, state.volatile)),
    )

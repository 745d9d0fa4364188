"""Planning for containerd: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Activation, Plan, Refusal, Route
from harbor_agent.model.runtimes.containerd import NAME
from harbor_agent.model.state import FileKind
from harbor_agent.planning.containerd import checks
from harbor_agent.planning.containerd.edits.certificates import delete_certificates, write_certificates
from harbor_agent.planning.containerd.edits.closing import CLOSED, close_directories
from harbor_agent.planning.containerd.edits.earlier import (
    find_kept_changes,
    note_earlier_settings,
    note_original_hashes,
)
from harbor_agent.planning.containerd.edits.migration import migrate
from harbor_agent.planning.containerd.edits.placement import add_registries, put_configuration_last
from harbor_agent.planning.containerd.edits.removal import remove_registries
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.hosts import is_trusted
from harbor_agent.planning.containerd.in_effect import summarize
from harbor_agent.planning.containerd.process import (
    are_containers_known,
    find_hindrance,
    find_kill_mode,
    find_latent_edits,
    find_stops,
    has_read_config,
    is_live,
)
from harbor_agent.planning.containerd.state import find_record, require_containerd
from harbor_agent.planning.containerd.warnings import find_warnings
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings
from harbor_agent.planning.files.workspace import Workspace, require_plain_paths
from harbor_agent.planning.network.proxy import ProxySettings
from harbor_agent.planning.network.reachability import find_reachability_problems
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.runtime import takes_effect
from harbor_agent.planning.trust_store import delete_authorities, warn_of_reading, write_authorities

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.edits.opening import Placement
    from harbor_agent.planning.containerd.effective import Effective
    from harbor_agent.planning.files.render import Templates

_MIGRATES = "mirrors and TLS settings become hosts.toml files"
_NEEDS_REPAIR = "use --repair to apply the change; it activates settings without effect or replaces a broken file"


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    """Plan one node. Never raises for what is on the node: a node that cannot be planned is a `Refusal`.

    Problems and warnings quote files; passwords and user information in URLs are masked in them.
    """
    warnings: list[Problem] = []
    decision: Plan | Refusal
    try:
        checks.require_configurable(state)
        before = evaluate(state)
        checks.require_same_dump(state, before)
        warnings += [
            *find_warnings(state, before, desired),
            *find_reachability_problems(desired.present, state.reachability, ProxySettings()),
        ]
        planner = _Planner(node, state, desired, before, warnings)
        decision = planner.plan(Workspace(original=state, state=state, templates=templates))
    except RefusedError as refused:
        decision = Refusal(node=node, runtime=NAME, problem=refused.problem, warnings=tuple(warnings))
    masked = tuple(mask_problem(warning) for warning in decision.warnings)
    if isinstance(decision, Refusal):
        return replace(decision, problem=mask_problem(decision.problem), warnings=masked)
    return replace(decision, warnings=masked)


class _Planner:
    """The planning of one node: its facts, and the steps."""

    def __init__(
        self, node: str, state: NodeState, desired: DesiredState, before: Effective, warnings: list[Problem]
    ) -> None:
        self.node = node
        self.state = state
        self.desired = desired
        self.before = before
        self.warnings = warnings
        self.present = [address for address in desired.present if address.needs_node_change]
        # The scheme is not part of an entry: a request to remove a registry by its https URL means this entry.
        kept = {address.entry for address in self.present}
        self.absent = [
            address
            for address in desired.absent
            if not address.is_docker_hub and address.literal is None and address.entry not in kept
        ]

    def plan(self, workspace: Workspace) -> Plan | Refusal:
        """Plan the certificates, which are to be there before plain HTTP goes, and the registries over plain HTTP."""
        self.require_cri()
        conflict = self.before.conflict
        if conflict and (self.present or self.absent or self.desired.certificates):
            workspace = migrate(workspace, self.before)
        certificates = self.desired.certificates
        placed = write_certificates(workspace, evaluate(workspace.state), self.desired.secure, certificates)
        placed = replace(placed, workspace=write_authorities(placed.workspace, self.desired))
        named = (*self.desired.present, *self.desired.absent, *self.desired.secure)
        named = tuple(address for address in named if address.literal is None)
        effective = evaluate(placed.workspace.state)
        workspace = delete_certificates(placed.workspace, effective, named, certificates)
        placed = replace(placed, workspace=delete_authorities(workspace, self.desired))
        workspace = placed.workspace
        missing = [address for address in self.present if not is_trusted(workspace.state, effective, address)]
        removable = [address for address in self.absent if is_trusted(workspace.state, effective, address)]
        placed = self.change_registries(placed, missing, removable)
        workspace = placed.workspace
        if not conflict and not workspace.changes():
            return self.plan_without_changes(workspace)
        if conflict:
            placed = replace(placed, route=Route.CONTAINERD_CONFIG, reason=f"{conflict}: {_MIGRATES}")
        after = evaluate(placed.workspace.state)
        workspace = put_configuration_last(placed.workspace, after)
        changes = workspace.changes()
        self.require_sound(workspace, after, repaired=bool(placed.faults))
        if problem := find_hindrance(self.state, self.before) or self.find_missing_consent(conflict, placed.faults):
            return self.refuse(problem, changes)
        reason = placed.reason or "; ".join(dict.fromkeys(change.reason for change in changes))
        return self.build_plan(workspace, self.choose_action(changes, after), placed.route, reason, after)

    def change_registries(self, placed: Placement, missing: list[Address], removable: list[Address]) -> Placement:
        """Return the placement of the certificates with the registries over plain HTTP removed and added."""
        workspace = placed.workspace
        if removable:
            workspace, route = remove_registries(workspace, evaluate(workspace.state), removable)
            reason = "the registry is removed from the place where it is in effect"
            placed = replace(placed, route=route, reason="; ".join(filter(None, (placed.reason, reason))))
        closed = workspace if self.present else close_directories(workspace, {one.entry for one in self.absent})
        if closed.changes() != workspace.changes():
            reason = "; ".join(filter(None, (placed.reason, CLOSED)))
            workspace, placed = closed, replace(placed, route=Route.CONTAINERD_CONFIG, reason=reason)
        if missing:
            checks.require_automatic_route(self.desired)
            checks.require_pullable(missing, self.before)
            added = add_registries(workspace, evaluate(workspace.state), missing)
            workspace = added.workspace
            reason = "; ".join(filter(None, (placed.reason, added.reason)))
            placed = replace(added, reason=reason, faults=(*placed.faults, *added.faults))
        return replace(placed, workspace=workspace)

    def require_cri(self) -> None:
        """Refuse a containerd through which no pod pulls."""
        if self.before.is_cri_disabled:
            path = self.before.config_file
            message = f"{path} switches CRI off (disabled_plugins): no pod pulls through this containerd"
            hint = "if kubelet is to use containerd, remove cri from disabled_plugins; else add --runtime docker"
            raise RefusedError("cri-disabled", message, hint)

    def find_missing_consent(self, conflict: str, faults: tuple[str, ...]) -> Problem | None:
        """Return what only `--repair` allows; None if nothing does, or if it is given."""
        if self.desired.repair or not (conflict or faults):
            return None
        if conflict:
            hint = f"use --repair: {_MIGRATES}, and containerd loads its CRI plugin again"
            message = f"{conflict}: containerd does not load its CRI plugin with these files"
            return Problem(code="runtime-config-conflict", message=message, hint=hint)
        return Problem(code="needs-repair", message="; ".join(faults), hint=_NEEDS_REPAIR)

    def require_sound(self, workspace: Workspace, after: Effective, *, repaired: bool) -> None:
        """Refuse a plan with which CRI would not load, or other settings would change."""
        if after.conflict:
            raise RefusedError("runtime-config-conflict", after.conflict, "fix the file by hand")
        then, now = summarize(workspace.state, after), summarize(self.state, self.before)
        missing = [address.entry for address in self.present if not is_trusted(workspace.state, after, address)]
        removed = [address.entry for address in self.absent]
        if repaired:
            then = replace(then, foreign=now.foreign)
        if missing or not takes_effect(now, then, removed=removed):
            message = "the change would not take effect, or would change other settings of containerd"
            raise RefusedError("settings-would-change", message, "configure the registry by hand on this node")

    def choose_action(self, changes: tuple[FileChange, ...], after: Effective) -> Action:
        """Return what makes containerd use the files: hosts.toml is read at each pull, the configuration at a start."""
        configuration = {after.config_file, *(file.path for file in after.files)}
        if any(change.path in configuration for change in changes):  # rule CD-30
            return Action.RESTART
        return Action.NONE if has_read_config(self.state, after) else Action.RESTART

    def plan_without_changes(self, workspace: Workspace) -> Plan | Refusal:
        """Return the plan for correct files: nothing, unless the daemon has not read them yet."""
        action, reason = Action.NONE, self.describe_unchanged()
        if not self.state.offline:
            stale = any(not is_live(self.state, self.before, address) for address in self.present)
            proofs = require_containerd(self.state).proofs
            kept = any(proofs.get(address.entry) == "http" for address in self.absent)
            if stale or (kept and not has_read_config(self.state, self.before)):
                action = Action.RESTART
                reason = "the files are correct, but containerd has not read them: a restart applies them"
                if problem := find_hindrance(self.state, self.before):
                    return self.refuse(problem, ())
        return self.build_plan(workspace, action, Route.NONE, reason, self.before)

    def describe_unchanged(self) -> str:
        sentences = [f"{', '.join(address.entry for address in self.present)} is already trusted"] * bool(self.present)
        sentences += [f"{', '.join(address.entry for address in self.absent)} is not trusted"] * bool(self.absent)
        return "; ".join(sentences) or "nothing to do"

    def refuse(self, problem: Problem, changes: tuple[FileChange, ...]) -> Refusal:
        """Refuse the node in its present state, with the changes that would be made."""
        warnings = tuple(one for one in self.warnings if one.code != problem.code)
        return Refusal(node=self.node, runtime=NAME, problem=problem, changes=changes, warnings=warnings)

    def build_plan(self, workspace: Workspace, action: Action, route: Route, reason: str, after: Effective) -> Plan:
        record, changes, restarts = find_record(self.state), workspace.changes(), action is Action.RESTART
        if changes or action is not Action.NONE:
            require_plain_paths((after.config_file, *(change.path for change in changes)))
        checks.require_lasting(changes)
        known = {warning.message for warning in self.warnings}
        self.warnings.extend(one for one in find_manager_warnings(changes) if one.message not in known)
        self.warnings.extend(find_volatile_changes(changes, self.state.volatile))
        self.warnings += warn_of_reading(changes, "containerd", restarts=restarts, offline=self.state.offline)
        removed = {address.entry for address in self.absent}
        owned = [entry for entry in (record.entries if record else ()) if entry not in removed]
        if changes:
            owned += [a.entry for a in self.present if not is_trusted(self.state, self.before, a)]
        if self.absent and not owned and not self.desired.certificates:
            self.warnings += find_kept_changes(self.state, changes)
        created = list(record.created_files if record else ())
        created += [change.path for change in changes if not change.before.exists]
        gone = {change.path for change in changes if change.after.kind is FileKind.ABSENT}
        return Plan(
            node=self.node,
            activation=Activation(
                runtime=NAME,
                unit=require_containerd(self.state).unit.name,
                action=action,
                config_file=after.config_file,
                expected=tuple(address.entry for address in self.present),
                unexpected=tuple(address.entry for address in self.absent),
                kill_mode=find_kill_mode(self.state) if restarts else "",
                stops=find_stops(self.state) if restarts else (),
            ),
            changes=changes,
            route=route,
            reason=reason,
            owned_entries=tuple(dict.fromkeys(owned)),
            created_files=tuple(path for path in dict.fromkeys(created) if path not in gone),
            original_hashes=note_original_hashes(self.state, changes),
            earlier_settings=note_earlier_settings(self.state, changes, after),
            containers_seen=are_containers_known(self.state),
            latent_edits=find_latent_edits(self.state, self.before) if restarts else (),
            warnings=tuple(self.warnings),
        )

"""Planning for Docker: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Activation, LiveRestore, Plan, Refusal, Route
from harbor_agent.model.runtimes.docker import NAME
from harbor_agent.model.state import FileKind
from harbor_agent.planning.docker.action import (
    can_reload,
    choose_action,
    find_stopped_daemon,
    is_running,
    supports_reload,
)
from harbor_agent.planning.docker.checks.certificates import find_folder_fault
from harbor_agent.planning.docker.checks.entries import find_entry_fault, names_entry
from harbor_agent.planning.docker.checks.latent import find_latent_edits
from harbor_agent.planning.docker.edits.certificates import delete_certificates, write_certificates
from harbor_agent.planning.docker.edits.placement import add_entries
from harbor_agent.planning.docker.edits.removal import remove_entries
from harbor_agent.planning.docker.edits.repair import repair
from harbor_agent.planning.docker.effective import evaluate, predict_arguments
from harbor_agent.planning.docker.in_effect import summarize
from harbor_agent.planning.docker.live_restore import are_containers_listed, enable_live_restore, find_disruption
from harbor_agent.planning.docker.matching import find_cover, normalize_entry, normalize_listed_entry
from harbor_agent.planning.docker.proxy import read_proxies
from harbor_agent.planning.docker.startup import FaultKind, find_start_faults
from harbor_agent.planning.docker.state import describe_others, find_docker, find_record, read_version
from harbor_agent.planning.docker.unit import require_own_socket
from harbor_agent.planning.docker.warnings import find_unread_certificates, find_warnings
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings, require_unmanaged
from harbor_agent.planning.files.workspace import Workspace, require_plain_paths
from harbor_agent.planning.network.reachability import find_reachability_problems
from harbor_agent.planning.refusal import RefusedError, require_idle_systemd
from harbor_agent.planning.trust_store import delete_authorities, write_authorities

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.docker.startup import StartFault
    from harbor_agent.planning.files.render import Templates

_NOTHING = "nothing to do"


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    """Plan one node. Never raises for what is on the node: a node that cannot be planned is a `Refusal`.

    Problems and warnings quote files and arguments; user information in URLs is masked in them.
    """
    decision = _decide(node, state, desired, templates)
    warnings = tuple(mask_problem(warning) for warning in decision.warnings)
    if isinstance(decision, Refusal):
        return replace(decision, problem=mask_problem(decision.problem), warnings=warnings)
    return replace(decision, warnings=warnings)


def _decide(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    warnings: list[Problem] = []
    try:
        _require_docker(state)
        before = evaluate(state)
        warnings = [
            *find_warnings(state, before, desired),
            *find_reachability_problems(desired.present, state.reachability, read_proxies(state, before)),
        ]
        planner = _Planner(node, state, desired, before, warnings)
        return planner.plan(Workspace(original=state, state=state, templates=templates))
    except RefusedError as refused:
        return Refusal(node=node, runtime=NAME, problem=refused.problem, warnings=tuple(warnings))


def _require_docker(state: NodeState) -> None:
    require_idle_systemd(state)
    docker = find_docker(state)
    if docker is None and not state.offline:
        message = f"there is no docker on the node{describe_others(state)}"
        raise RefusedError("docker-absent", message, "remove it from the inventory")
    if docker:
        require_own_socket(docker)
    unit = docker.unit if docker else None
    if unit and "masked" in (unit.load_state, unit.unit_file_state.removesuffix("-runtime")):
        message = f"{unit.name} is masked: this node does not run docker"
        raise RefusedError("unit-masked", message, "configure the runtime that kubelet uses")


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
        self.version = read_version(state)
        self.present = [address for address in desired.present if address.needs_node_change]
        # The scheme is not part of an entry: a request to remove a registry by its https URL means this entry.
        kept = {address.entry for address in self.present}
        self.absent = [a for a in desired.absent if not a.is_docker_hub and a.entry not in kept]

    def plan(self, workspace: Workspace) -> Plan | Refusal:
        """Plan the CAs, which are to be there before an entry goes, and the entries."""
        workspace = write_certificates(workspace, self.desired.certificates)
        return self.plan_entries(write_authorities(workspace, self.desired))

    def plan_entries(self, workspace: Workspace) -> Plan | Refusal:
        begun = workspace.state
        self.require_valid_entries()
        missing = [address for address in self.present if not self.find_cover(address, self.before.entries)]
        removable = self.find_removable(self.before)
        self.require_readable_folder([address.entry for address in self.desired.secure if address.entry in removable])
        kinds = {fault.kind for fault in self.faults}
        own_fault = bool(kinds & {FaultKind.OWN_CONFLICT, FaultKind.OWN_TYPE})
        if not missing and not removable and not (own_fault and (self.present or self.absent)):
            return self.plan_without_changes(workspace)
        repaired = repair(workspace, self.before, kinds)
        workspace = repaired.workspace
        if removable:
            # rule DD-17
            workspace = remove_entries(workspace, removable, keep_empty_list=self.must_keep_list())
        after = self.before if workspace.state is begun else evaluate(workspace.state)
        adding = [entry for entry in repaired.entries if normalize_entry(entry, self.version) not in removable]
        adding += [address.entry for address in self.present if not self.find_cover(address, (*after.entries, *adding))]
        route, reason = self.find_removal_route(workspace), "the entry is removed from the place where it is in effect"
        if adding:
            placement, after = add_entries(workspace, after, list(dict.fromkeys(adding)), self.desired.route)
            workspace, route, reason = placement.workspace, placement.route, placement.reason
        elif repaired.faults and not removable:
            kept = "it is repaired, so that dockerd still trusts the same registries after a restart"
            reason = f"{'; '.join(repaired.faults)}: {kept}"
        self.require_sound(after, repaired=bool(repaired.faults))
        if stopped := find_stopped_daemon(self.state):
            return self.refuse(stopped, workspace.changes())
        if repaired.faults and not self.desired.repair:
            return self.refuse_without_repair(repaired.faults, workspace.changes())
        return self.plan_with_changes(workspace, after, route, reason)

    @cached_property
    def faults(self) -> list[StartFault]:
        """The faults of the node's files, before any change."""
        return find_start_faults(self.state, self.before)

    def find_cover(self, address: Address, entries: tuple[str, ...]) -> str | None:
        resolved = next((one.resolved for one in self.state.reachability if one.entry == address.entry), None)
        return find_cover(address, entries, version=self.version, resolved=resolved or ())

    def require_valid_entries(self) -> None:
        """Refuse an entry that this version of dockerd does not start with."""
        for address in self.present:
            if reason := find_entry_fault(address.entry, self.version):
                message = f"dockerd does not start with the entry '{address.entry}': {reason}"
                raise RefusedError("entry-invalid", message, "name the registry with its port, or by its DNS name")

    def require_readable_folder(self, removable: list[str]) -> None:
        """Refuse to remove the entry of a registry whose folder of certificates is broken."""
        docker = find_docker(self.state)
        for entry in removable:
            if docker and (fault := find_folder_fault(docker.certificate_files, entry)):
                raise RefusedError.from_problem(fault)

    def find_removable(self, effective: Effective) -> list[str]:
        """Return the entries to remove, as dockerd compares them."""
        found = (e for e in effective.entries if any(names_entry(a, e, self.version) for a in self.absent))
        return list(dict.fromkeys(normalize_entry(entry, self.version) for entry in found))

    def list_live_entries(self) -> tuple[str, ...] | None:
        docker = find_docker(self.state)
        live = docker.live if docker and not self.state.offline else None
        return (*live.insecure_entries, *live.insecure_cidrs) if live else None

    def is_live_list_right(self) -> bool:
        """Whether the live list of the daemon is as desired; false if it does not answer."""
        live = self.list_live_entries()
        if live is None:
            return False
        trusts = all(self.find_cover(address, live) for address in self.present)
        return trusts and not any(address.entry in live for address in self.absent)

    def must_keep_list(self) -> bool:
        """Whether an emptied list must stay as `[]` for a reload to revoke it."""
        running = not self.state.offline and is_running(self.state, self.before)
        return running and supports_reload(self.state, self.before)

    def find_removal_route(self, workspace: Workspace) -> Route:
        paths = {change.path for change in workspace.changes()}
        if self.before.config_path in paths:
            return Route.DAEMON_JSON
        if paths & set(self.before.environment_files):
            return Route.ENVIRONMENT_FILE
        return Route.DROP_IN if paths & {*self.before.unit.drop_ins} else Route.UNIT_FLAG

    def require_sound(self, after: Effective, *, repaired: bool) -> None:
        """Refuse a plan with which dockerd would not start, or would have other arguments changed."""
        for fault in find_start_faults(self.state, after):
            # if the fault is there before the change, the message names the file where somebody wrote it
            before = (one for one in self.faults if one.is_same(fault))
            raise RefusedError.from_problem(next(before, fault).problem)
        unchanged = summarize(self.state, after).foreign == summarize(self.state, self.before).foreign
        if not repaired and not unchanged:
            message = "removing the entry would change other arguments of dockerd"
            raise RefusedError("arguments-would-change", message, "check 'systemctl cat docker'")
        if left := self.find_removable(after):
            raise RefusedError("removal-unclear", f"{left[0]} would stay in effect", "remove it by hand")

    def refuse_without_repair(self, faults: tuple[str, ...], changes: tuple[FileChange, ...]) -> Refusal:
        hint = "use --repair to apply the change; it activates options without effect or deletes the conflicting key"
        return self.refuse(Problem(code="needs-repair", message="; ".join(faults), hint=hint), changes)

    def refuse(self, problem: Problem, changes: tuple[FileChange, ...]) -> Refusal:
        """Refuse the node in its present state, with the changes that would be made."""
        warnings = tuple(one for one in self.warnings if one.code != problem.code)
        return Refusal(node=self.node, runtime=NAME, problem=problem, changes=changes, warnings=warnings)

    def plan_without_changes(self, workspace: Workspace) -> Plan | Refusal:
        """Return the plan for correct files: nothing, unless the daemon has not read them yet."""
        for fault in self.faults:
            self.warnings.append(fault.problem)
        action, reason = Action.NONE, self.describe_unchanged()
        known = self.list_live_entries() is not None
        if known and not self.is_live_list_right() and not self.faults:
            action = Action.RELOAD if can_reload(self.state, self.before) else Action.RESTART
            reason = f"the files are correct, but dockerd has not read them: a {action} applies them"
            if stopped := find_stopped_daemon(self.state):
                return self.refuse(stopped, ())
        route = Route.NONE
        if changes := self.delete_certificates(workspace).changes():
            route, clauses = Route.CERTIFICATES, [change.reason for change in changes]
            reason = "; ".join([*clauses, *([reason] if action is not Action.NONE else [])])
        return self.build_plan(workspace, action, route, reason, self.before)

    def delete_certificates(self, workspace: Workspace) -> Workspace:
        """Return the workspace without this tool's certificates that the registries of the request do not have."""
        named = (*self.desired.present, *self.desired.absent, *self.desired.secure)
        workspace = delete_certificates(workspace, [address.entry for address in named], self.desired.certificates)
        return delete_authorities(workspace, self.desired)

    def describe_unchanged(self) -> str:
        covers = [(address, self.find_cover(address, self.before.entries)) for address in self.present]
        through = [f"{one.entry} is already trusted through {cover}" for one, cover in covers if cover != one.entry]
        exact = [address.entry for address, cover in covers if cover == address.entry]
        gone = [address.entry for address in self.absent]
        sentences = [f"{', '.join(exact)} is already trusted"] if exact else []
        sentences += [*through, f"{', '.join(gone)} is not trusted"] if gone else through
        return "; ".join(sentences) or _NOTHING

    def plan_with_changes(self, workspace: Workspace, after: Effective, route: Route, reason: str) -> Plan:
        action = choose_action(self.state, self.before, after, live_is_right=self.is_live_list_right())
        if not self.state.offline:
            self.warnings.extend(self.warn_of_rollback())
        return self.build_plan(workspace, action, route, reason, after)

    def warn_of_rollback(self) -> list[Problem]:
        """Return the entries at fault that the change removes: with the present files, dockerd does not start again."""
        faults = [fault.problem for fault in self.faults if fault.subject]
        hint = "restart docker at a quiet time after the change, to see that it starts"
        suffix = "so if the change fails, rolling back does not start dockerd again"
        return [Problem(code=one.code, message=f"{one.message}; {suffix}", hint=hint) for one in faults]

    def limit_disruption(
        self, workspace: Workspace, action: Action, after: Effective
    ) -> tuple[Workspace, LiveRestore, tuple[RunningContainer, ...]]:
        """Return the effect on containers and which of them stop; the workspace enables live-restore if requested."""
        live_restore, stopped = find_disruption(self.state, action, after)
        if not stopped:
            return workspace, live_restore, ()
        try:
            switched_on = enable_live_restore(workspace, after)
        except RefusedError:
            if self.desired.live_restore:
                raise
            return workspace, LiveRestore.NONE, stopped
        if self.desired.live_restore:
            return switched_on, LiveRestore.PLANNED, ()
        return workspace, LiveRestore.POSSIBLE, stopped

    def build_plan(self, workspace: Workspace, action: Action, route: Route, reason: str, after: Effective) -> Plan:
        docker, record = find_docker(self.state), find_record(self.state)
        workspace = self.delete_certificates(workspace)
        workspace, live_restore, stops = self.limit_disruption(workspace, action, after)
        changes = workspace.changes()
        if changes or action is not Action.NONE:
            require_plain_paths((after.config_path, *(change.path for change in changes)))
        require_unmanaged(changes)
        self.warnings.extend(find_manager_warnings(changes))
        self.warnings.extend(find_volatile_changes(changes, self.state.volatile))
        self.warnings.extend(find_unread_certificates(changes, action, self.state, after))
        removed = {address.entry for address in self.absent}
        owned = [entry for entry in (record.entries if record else ()) if entry not in removed]
        if changes:
            had = [normalize_entry(entry, self.version) for entry in self.before.entries]
            owned += [a.entry for a in self.present if a.entry not in had and a.entry in after.entries]
        created = list(record.created_files if record else ())
        created += [change.path for change in changes if not change.before.exists]
        gone = {change.path for change in changes if change.after.kind is FileKind.ABSENT}
        covers = filter(None, (self.find_cover(address, after.entries) for address in self.present))
        return Plan(
            node=self.node,
            activation=Activation(
                runtime=NAME,
                unit=after.unit.name,
                action=action,
                config_file=after.config_path,
                expected=tuple(dict.fromkeys(normalize_listed_entry(entry, self.version) for entry in covers)),
                unexpected=tuple(a.entry for a in self.absent if not find_entry_fault(a.entry, self.version)),
                arguments=predict_arguments(after, self.before, docker.argv if docker else None),
                live_restore=live_restore,
                stops=stops,
            ),
            changes=changes,
            route=route,
            reason=reason,
            owned_entries=tuple(dict.fromkeys(owned)),
            created_files=tuple(path for path in dict.fromkeys(created) if path not in gone),
            containers_seen=are_containers_listed(self.state),
            latent_edits=find_latent_edits(self.state, self.before),
            warnings=tuple(self.warnings),
        )

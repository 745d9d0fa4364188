"""Planning for k3s and RKE2: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Activation, Plan, Refusal, Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.state import FileKind
from harbor_agent.planning.containerd.k3s.edits import add_hosts_file, add_registry, remove_hosts_file, remove_registry
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_live
from harbor_agent.planning.containerd.k3s.settings import list_units, require_k3s, require_registries_read
from harbor_agent.planning.containerd.k3s.warnings import find_warnings
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.managed import find_manager_warnings, require_unmanaged
from harbor_agent.planning.files.workspace import Workspace, require_plain_paths
from harbor_agent.planning.refusal import RefusedError, find_pending_transaction
from harbor_agent.planning.trust_store import delete_authorities, warn_of_reading, write_authorities

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective
    from harbor_agent.planning.files.render import Templates


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates, name: str) -> Plan | Refusal:
    """Plan one node for k3s or RKE2. Never raises for what is on the node."""
    decision: Plan | Refusal
    try:
        decision = _plan(node, state, desired, templates, name)
    except RefusedError as refused:
        decision = Refusal(node=node, runtime=name, problem=mask_problem(refused.problem))
    return replace(decision, warnings=tuple(mask_problem(warning) for warning in decision.warnings))


def _plan(node: str, state: NodeState, desired: DesiredState, templates: Templates, name: str) -> Plan:
    if pending := find_pending_transaction(state):
        raise RefusedError.from_problem(pending)
    before = evaluate(state, name)
    present = [address for address in desired.present if address.needs_node_change]
    kept = {address.entry for address in present}
    absent = [one for one in desired.absent if not one.is_docker_hub and one.literal is None and one.entry not in kept]
    missing = [address for address in present if not before.is_trusted(address)]
    removable = [one for one in absent if before.is_trusted(one) or is_live(state, name, before, one)]
    _require_no_certificates(desired, before)
    workspace = Workspace(original=state, state=state, templates=templates)
    workspace = delete_authorities(write_authorities(workspace, desired), desired)
    route, reason = Route.NONE, _describe_unchanged(present, absent)
    if workspace.changes():
        route, reason = Route.CERTIFICATES, "; ".join(change.reason for change in workspace.changes())
    if missing or removable:
        require_registries_read(state, require_k3s(state, name), before.settings)
        if missing and desired.route is not RouteChoice.AUTO:
            message = f"--route {desired.route}: {name} reads no such file"
            raise RefusedError("route-ineffective", message, "use --route auto")
        workspace = _change_registries(workspace, name, missing, removable)
        route, reason = Route.REGISTRIES_YAML, f"{name} writes the configuration of its containerd from that file"
    after = evaluate(workspace.state, name)
    _require_sound(after, missing, removable)
    is_late = any(not is_live(workspace.state, name, after, one) for one in missing)
    is_late = is_late or any(_is_kept(workspace.state, name, after, one) for one in removable)
    decision = _build_plan(node, workspace, before, name, (present, absent))
    action = Action.RESTART if is_late else Action.NONE
    server = list_units(name)[0]
    if is_late and decision.activation.unit == server:
        reason = f"{reason}; a restart of {server} is one of the API server and of etcd too"
    activation = replace(decision.activation, action=action)
    warnings = (*find_warnings(state, before, desired, name), *decision.warnings)
    return replace(decision, activation=activation, route=route, reason=reason, warnings=warnings)


def _change_registries(workspace: Workspace, name: str, missing: list[Address], removable: list[Address]) -> Workspace:
    for address in removable:
        workspace = remove_hosts_file(remove_registry(workspace, name, address), name, address)
    for address in missing:
        workspace = add_hosts_file(add_registry(workspace, name, address), name, address)
    return workspace


def _is_kept(state: NodeState, name: str, after: Effective, address: Address) -> bool:
    """Whether a registry that is removed is trusted until a restart: also if that is not known."""
    return after.generated is None or is_live(state, name, after, address)


def _require_no_certificates(desired: DesiredState, effective: Effective) -> None:
    named = []
    for address in desired.secure:
        wanted = desired.certificates.get(address.entry)
        # containerd trusts what the system does
        if wanted and (wanted.client or address.entry not in desired.system_trust):
            named.append(address.entry)
    if named:
        message = f"the CA of {', '.join(named)} is not written into {effective.settings.registries} by this version"
        hint = "set configs.HOST.tls.ca_file in that file, or system_trust for the trust store of the system"
        raise RefusedError("ca-not-distributed", message, hint)


def _require_sound(after: Effective, missing: list[Address], removable: list[Address]) -> None:
    """Refuse a plan that would not take effect; an edit has compared everything else in the file already."""
    if any(not after.is_trusted(one) for one in missing) or any(after.is_trusted(one) for one in removable):
        message = f"the change of {after.settings.registries} would not take effect"
        raise RefusedError("settings-would-change", message, "edit the file by hand on this node")


def _build_plan(
    node: str, workspace: Workspace, before: Effective, name: str, asked: tuple[list[Address], list[Address]]
) -> Plan:
    """Build the plan without its action. Raises RefusedError for files that may not be changed."""
    state, changes, record = workspace.original, workspace.changes(), workspace.original.records.get(name)
    present, absent = asked
    require_plain_paths(change.path for change in changes)
    require_unmanaged(changes)
    removed = {address.entry for address in absent}
    owned = [entry for entry in (record.entries if record else ()) if entry not in removed]
    owned += [one.entry for one in present if not before.is_trusted(one)]
    gone = {change.path for change in changes if change.after.kind is FileKind.ABSENT}
    created = [*(record.created_files if record else ()), *(one.path for one in changes if not one.before.exists)]
    return Plan(
        node=node,
        activation=Activation(
            runtime=name,
            unit=require_k3s(state, name).unit.name,
            config_file=before.settings.registries,
            expected=tuple(address.entry for address in present),
            unexpected=tuple(address.entry for address in absent),
        ),
        changes=changes,
        reason="",
        owned_entries=tuple(dict.fromkeys(owned)),
        created_files=tuple(path for path in dict.fromkeys(created) if path not in gone),
        warnings=(
            *find_manager_warnings(changes),
            *find_volatile_changes(changes, state.volatile),
            *warn_of_reading(changes, name, restarts=False, offline=state.offline),
        ),
    )


def _describe_unchanged(present: list[Address], absent: list[Address]) -> str:
    sentences = [f"{', '.join(address.entry for address in present)} is already trusted"] * bool(present)
    sentences += [f"{', '.join(address.entry for address in absent)} is not trusted"] * bool(absent)
    return "; ".join(sentences) or "nothing to do"

"""Planning for k3s and RKE2: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Refusal, Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.containerd.k3s.checks import require_plannable, require_same_reading, require_sound
from harbor_agent.planning.containerd.k3s.edits import add_hosts_file, add_registry, remove_hosts_file, remove_registry
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_written
from harbor_agent.planning.containerd.k3s.outcome import Outcome, build_plan
from harbor_agent.planning.containerd.k3s.process import find_stopped_daemon, is_live
from harbor_agent.planning.containerd.k3s.settings import require_k3s, require_registries_read
from harbor_agent.planning.containerd.k3s.warnings import find_warnings
from harbor_agent.planning.files.workspace import Workspace
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.trust_store import delete_authorities, write_authorities

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.plan import Plan
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
    require_plannable(state, name)
    before = evaluate(state, name)
    require_same_reading(state, name, before)
    present = [address for address in desired.present if address.needs_node_change]
    kept = {address.entry for address in present}
    absent = [one for one in desired.absent if not one.is_docker_hub and one.literal is None and one.entry not in kept]
    missing = [address for address in present if not before.is_trusted(address)]
    unread = [one for one in present if before.is_trusted(one) and not is_live(state, name, before, one)]
    unread = [] if state.offline else unread
    removable = [one for one in absent if before.is_trusted(one) or is_live(state, name, before, one)]
    _require_no_certificates(desired, before)
    workspace = Workspace(original=state, state=state, templates=templates)
    workspace = delete_authorities(write_authorities(workspace, desired), desired)
    route, reason = Route.NONE, _describe_unchanged(present, absent)
    if workspace.changes():
        route, reason = Route.CERTIFICATES, "; ".join(change.reason for change in workspace.changes())
    if missing or unread or removable:
        require_registries_read(state, require_k3s(state, name), before.settings)
        if missing and desired.route is not RouteChoice.AUTO:
            message = f"--route {desired.route}: {name} reads no such file"
            raise RefusedError("route-ineffective", message, "use --route auto")
        route, reason = Route.REGISTRIES_YAML, f"{name} writes the configuration of its containerd from that file"
        if not missing and not removable:
            reason = f"{before.settings.registries} is correct, but {name} has not read it"
    for address in removable:
        workspace = remove_hosts_file(remove_registry(workspace, name, address), name, address)
    for address in (*missing, *unread):
        workspace = add_registry(workspace, name, address) if address in missing else workspace
        workspace = add_hosts_file(workspace, name, address)
    after = evaluate(workspace.state, name)
    require_sound(after, missing, removable)
    is_late = any(_needs_restart(workspace, name, (before, after), one) for one in (*missing, *unread))
    is_late = is_late or any(_is_kept(workspace, name, (before, after), one) for one in removable)
    action = Action.RESTART if is_late else Action.NONE
    if (workspace.changes() or is_late) and (stopped := find_stopped_daemon(state, name)):
        raise RefusedError.from_problem(stopped)
    outcome = Outcome(
        workspace.changes(),
        action,
        route,
        reason,
        expected=tuple(address.entry for address in present),
        unexpected=tuple(address.entry for address in absent),
        added=tuple(address.entry for address in missing),
    )
    decision = build_plan(node, state, outcome, before, name)
    return replace(decision, warnings=(*find_warnings(state, before, desired, name), *decision.warnings))


def _needs_restart(workspace: Workspace, name: str, seen: tuple[Effective, Effective], address: Address) -> bool:
    """Whether containerd is not sent to a registry by its files; also if it was before, and does not do so."""
    before, after = seen
    if not is_written(workspace.state, name, after, address):
        return True
    state = workspace.original
    return not state.offline and is_written(state, name, before, address) and not is_live(state, name, before, address)


def _is_kept(workspace: Workspace, name: str, seen: tuple[Effective, Effective], address: Address) -> bool:
    """Whether a registry that is removed is trusted until a restart: in a tree also if that is not known."""
    before, after = seen
    state = workspace.original
    if is_written(workspace.state, name, after, address):
        return True
    if state.offline:
        return after.generated is None
    return after.written is None or (
        is_live(state, name, before, address) and not is_written(state, name, before, address)
    )


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


def _describe_unchanged(present: list[Address], absent: list[Address]) -> str:
    sentences = [f"{', '.join(address.entry for address in present)} is already trusted"] * bool(present)
    sentences += [f"{', '.join(address.entry for address in absent)} is not trusted"] * bool(absent)
    return "; ".join(sentences) or "nothing to do"

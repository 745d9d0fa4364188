"""Planning for k3s and RKE2: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Refusal, Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.containerd.k3s.certificates import (
    are_certificates_late,
    delete_certificates,
    write_certificates,
    write_hosts_files,
)
from harbor_agent.planning.containerd.k3s.checks import require_plannable, require_same_reading, require_sound
from harbor_agent.planning.containerd.k3s.edits import add_hosts_file, add_registry, remove_hosts_file, remove_registry
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_written
from harbor_agent.planning.containerd.k3s.outcome import Outcome, build_plan
from harbor_agent.planning.containerd.k3s.process import find_stopped_daemon, is_live
from harbor_agent.planning.containerd.k3s.settings import require_k3s, require_registries_read
from harbor_agent.planning.containerd.k3s.warnings import find_warnings
from harbor_agent.planning.files.workspace import Workspace
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.trust_store import delete_authorities, is_in_store, write_authorities

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
    needed = _compare(state, desired, before, name)
    workspace = Workspace(original=state, state=state, templates=templates)
    # The certificate is there before plain HTTP goes.
    workspace = write_certificates(workspace, name, desired)
    workspace = delete_authorities(write_authorities(workspace, desired), desired)
    workspace = delete_certificates(workspace, name, desired)
    route, reason = Route.NONE, needed.describe()
    if workspace.changes():
        route, reason = Route.CERTIFICATES, "; ".join(change.reason for change in workspace.changes())
    if needed.missing or needed.unread or needed.removable:
        route, reason = Route.REGISTRIES_YAML, f"{name} writes the configuration of its containerd from that file"
        if not needed.missing and not needed.removable:
            reason = f"{before.settings.registries} is correct, but {name} has not read it"
    workspace = write_hosts_files(_change_registries(workspace, needed, name), name, desired)
    is_late = _is_late(workspace, needed, before, name) or are_certificates_late(workspace, name, desired)
    if is_late or any(not is_in_store(change.path) for change in workspace.changes()):
        require_registries_read(state, require_k3s(state, name), before.settings)
    if needed.missing and desired.route is not RouteChoice.AUTO:
        message = f"--route {desired.route}: {name} reads no such file"
        raise RefusedError("route-ineffective", message, "use --route auto")
    if (workspace.changes() or is_late) and (stopped := find_stopped_daemon(state, name)):
        raise RefusedError.from_problem(stopped)
    outcome = Outcome(
        workspace.changes(),
        Action.RESTART if is_late else Action.NONE,
        route,
        reason,
        expected=tuple(address.entry for address in needed.present),
        unexpected=tuple(address.entry for address in needed.absent),
        added=tuple(address.entry for address in needed.missing),
    )
    decision = build_plan(node, state, outcome, before, name)
    return replace(decision, warnings=(*find_warnings(state, before, desired, name), *decision.warnings))


@dataclass(frozen=True, slots=True)
class _Needed:
    """The registries of the request over plain HTTP: those that registries.yaml lacks, has unread, and has to lose."""

    present: tuple[Address, ...]
    absent: tuple[Address, ...]
    missing: tuple[Address, ...]
    unread: tuple[Address, ...]
    removable: tuple[Address, ...]

    def describe(self) -> str:
        """Return why nothing has to be changed."""
        sentences = [f"{', '.join(one.entry for one in self.present)} is already trusted"] * bool(self.present)
        sentences += [f"{', '.join(one.entry for one in self.absent)} is not trusted"] * bool(self.absent)
        return "; ".join(sentences) or "nothing to do"


def _compare(state: NodeState, desired: DesiredState, before: Effective, name: str) -> _Needed:
    present = tuple(address for address in desired.present if address.needs_node_change)
    kept = {address.entry for address in present}
    absent = [one for one in desired.absent if not one.is_docker_hub and one.literal is None and one.entry not in kept]
    unread = [one for one in present if before.is_trusted(one) and not is_live(state, name, before, one)]
    return _Needed(
        present,
        tuple(absent),
        missing=tuple(address for address in present if not before.is_trusted(address)),
        unread=() if state.offline else tuple(unread),
        removable=tuple(one for one in absent if before.is_trusted(one) or is_live(state, name, before, one)),
    )


def _change_registries(workspace: Workspace, needed: _Needed, name: str) -> Workspace:
    for address in needed.removable:
        workspace = remove_hosts_file(remove_registry(workspace, name, address), name, address)
    for address in needed.missing:
        workspace = add_registry(workspace, name, address)
    for address in (*needed.missing, *needed.unread):
        workspace = add_hosts_file(workspace, name, address)
    return workspace


def _is_late(workspace: Workspace, needed: _Needed, before: Effective, name: str) -> bool:
    """Whether only a restart applies the change. Raises RefusedError for one that would not take effect at all."""
    after = evaluate(workspace.state, name)
    require_sound(after, needed.missing, needed.removable)
    seen = (before, after)
    return any(_needs_restart(workspace, name, seen, one) for one in (*needed.missing, *needed.unread)) or any(
        _is_kept(workspace, name, seen, one) for one in needed.removable
    )


def _needs_restart(workspace: Workspace, name: str, seen: tuple[Effective, Effective], address: Address) -> bool:
    """Whether containerd is not sent to a registry by its files; also if it was before, and does not do so."""
    before, after = seen
    if not is_written(workspace.state, name, after, address):  # rule KR-05
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

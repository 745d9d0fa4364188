"""Planning for CRI-O and podman: observed and desired state in, plan or refusal out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Refusal, Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.containers_image.certificates import change_certificates
from harbor_agent.planning.containers_image.checks import (
    require_plannable,
    require_same_reading,
    require_sound,
    require_trusted,
    require_unmanaged_node,
)
from harbor_agent.planning.containers_image.edits import add_registry, remove_registry
from harbor_agent.planning.containers_image.effective import evaluate, is_trusted, is_trusted_by_table, summarize
from harbor_agent.planning.containers_image.outcome import Outcome, build_plan
from harbor_agent.planning.containers_image.process import find_stopped_daemon, is_live
from harbor_agent.planning.containers_image.warnings import find_still_covered, find_warnings
from harbor_agent.planning.files.workspace import Workspace
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.trust_store import delete_authorities, write_authorities

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective
    from harbor_agent.planning.files.render import Templates


def plan(node: str, state: NodeState, desired: DesiredState, templates: Templates, name: str) -> Plan | Refusal:
    """Plan one node for the runtime of this name. Never raises for what is on the node."""
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
    missing = [address for address in present if not is_trusted(before, address)]
    removable = [address for address in absent if is_trusted(before, address)]
    workspace = Workspace(original=state, state=state, templates=templates)
    # The certificate is there before plain HTTP goes.
    workspace = change_certificates(workspace, desired, name)
    workspace = delete_authorities(write_authorities(workspace, desired), desired)
    route, reason = Route.NONE, _describe_unchanged(present, absent)
    if workspace.changes():
        require_unmanaged_node(state)
        route, reason = Route.CERTIFICATES, "; ".join(change.reason for change in workspace.changes())
    if missing or removable:
        require_unmanaged_node(state)
        if missing and desired.route is not RouteChoice.AUTO:
            message = f"--route {desired.route}: {name} reads no such file"
            raise RefusedError("route-ineffective", message, "use --route auto")
        for address in removable:
            workspace = remove_registry(workspace, name, address)
        for address in missing:
            workspace = add_registry(workspace, name, address)
        route, reason = Route.REGISTRIES_CONF, f"{name} reads its registries there"
    after = evaluate(workspace.state, name)
    require_trusted(after, missing)
    entries = [address.entry for address in (*missing, *removable)]
    covered = [a.entry for a in removable if is_trusted_by_table(after, a.entry)]
    require_sound(before, after, [a.entry for a in removable if a.entry not in covered], entries)
    is_unread = not workspace.changes() and not state.offline and _is_unread(state, name, present, absent, after)
    if (workspace.changes() or is_unread) and (stopped := find_stopped_daemon(state, name)):
        raise RefusedError.from_problem(stopped)
    outcome = Outcome(
        workspace.changes(),
        route,
        f"the files are correct, but {name} has not read them: a reload applies them" if is_unread else reason,
        expected=tuple(address.entry for address in present),
        unexpected=tuple(address.entry for address in absent if address.entry not in covered),
        added=tuple(one for one in summarize(after).entries if one not in summarize(before).entries),
        is_unread=is_unread,
    )
    decision = build_plan(node, state, outcome, after, name)
    warnings = (*find_warnings(state, before, desired, name), *find_still_covered(after, covered), *decision.warnings)
    return replace(decision, warnings=warnings)


def _is_unread(
    state: NodeState, name: str, present: list[Address], absent: list[Address], effective: Effective
) -> bool:
    """Whether the runtime is known to have something else in effect than its files."""
    is_stale = any(is_live(state, name, address.entry) is False for address in present)
    return is_stale or any(
        is_live(state, name, address.entry) for address in absent if not is_trusted(effective, address)
    )


def _describe_unchanged(present: list[Address], absent: list[Address]) -> str:
    sentences = [f"{', '.join(address.entry for address in present)} is already trusted"] * bool(present)
    sentences += [f"{', '.join(address.entry for address in absent)} is not trusted"] * bool(absent)
    return "; ".join(sentences) or "nothing to do"

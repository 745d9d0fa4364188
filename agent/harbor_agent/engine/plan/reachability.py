"""Registries that no node reaches: a restart for one of them could not be verified, so it needs consent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem, StoppedError
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import Outcome
from harbor_agent.planning.network.reachability import find_unreached_entries
from harbor_agent.planning.node import find_runtime

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode

_BEHIND_PROXY = "registry-behind-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One node's view of the registries; one that is neither reached nor unreached was not tried.

    `restarts_for` are those that its restart adds, `unreached` has the reason of each.
    """

    restarts_for: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)


def require_reachable_registries(nodes: Sequence[PlannedNode]) -> None:
    """Raise StoppedError (`registry-not-reached`) if nodes would restart for a registry that no node reaches."""
    if problem := find_unreachable_registries(nodes):
        raise StoppedError(problem)


def find_unreachable_registries(
    nodes: Sequence[PlannedNode], changed: Sequence[PlannedNode] | None = None
) -> Problem | None:
    """Return the registries for which nodes would restart although no node reaches them; None if there are none.

    `changed` are the nodes that the run changes; by default all. A registry does not count if a node has not tried it,
    or sends its pulls through a proxy.
    """
    needed = {entry for planned in (nodes if changed is None else changed) for entry in _list_restarted_for(planned)}
    return _describe_unreached([summarize_reach(planned) for planned in nodes], needed)


def find_unreachable_by_summary(reaches: Sequence[Reach]) -> Problem | None:
    """Return the same for all nodes, from the summary of each."""
    return _describe_unreached(reaches, {entry for reach in reaches for entry in reach.restarts_for})


def summarize_reach(planned: PlannedNode) -> Reach:
    """Return which registries a node restarts for, reaches and does not reach."""
    if planned.state is None:
        return Reach()
    answers = planned.state.reachability
    unreached = find_unreached_entries([(answers, _is_behind_proxy(planned))])
    return Reach(
        restarts_for=tuple(_list_restarted_for(planned)),
        reached=tuple(seen.entry for seen in answers if seen.entry not in unreached),
        unreached=unreached,
    )


def _describe_unreached(reaches: Sequence[Reach], needed: Collection[str]) -> Problem | None:
    reached = {entry for reach in reaches for entry in reach.reached}
    unreached: dict[str, str] = {}
    for reach in reaches:
        for entry, why in reach.unreached.items():
            if entry in needed and entry not in reached:
                unreached.setdefault(entry, why)
    if not unreached:
        return None
    return Problem(
        code="registry-not-reached",
        message="no node reaches "
        + "; ".join(f"{entry} ({why})" for entry, why in unreached.items())
        + ": the run stops before the first restart",
        hint="check the address, and that Harbor is running; or add --allow-unreachable-registry",
    )


def _list_restarted_for(planned: PlannedNode) -> Iterable[str]:
    """Return the registries that this node's restart adds to those that its daemon trusts."""
    plan, state = planned.decision, planned.state
    if planned.outcome is not Outcome.PENDING or not isinstance(plan, Plan) or state is None:
        return ()
    if plan.activation.action is not Action.RESTART:
        return ()
    trusted = find_runtime(state).describe_process(state).entries or ()
    return [one.address.entry for one in planned.policy.present if one.address.entry not in trusted]


def _is_behind_proxy(planned: PlannedNode) -> bool:
    return any(warning.code == _BEHIND_PROXY for warning in (planned.decision.warnings if planned.decision else ()))

"""What a restart of the daemon does to the containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action, LiveRestore
from harbor_agent.planning.docker.live_restore import containers_outlive

if TYPE_CHECKING:
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective


def find_disruption(
    state: NodeState, action: Action, after: Effective
) -> tuple[LiveRestore, tuple[RunningContainer, ...]]:
    """Return what becomes of containers in a restart into `after`, and which ones it stops."""
    if action is not Action.RESTART:
        return LiveRestore.NONE, ()
    if containers_outlive(state, after):
        return LiveRestore.ON, ()
    return LiveRestore.NONE, (state.docker.containers or ()) if state.docker else ()


def are_containers_listed(state: NodeState) -> bool:
    """Whether the daemon listed the containers that run; a node without one runs none."""
    return state.docker is None or state.docker.containers is not None

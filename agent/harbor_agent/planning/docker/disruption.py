"""What a restart of the daemon does to the containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, LiveRestore
from harbor_agent.planning.docker.live_restore import containers_outlive

if TYPE_CHECKING:
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

# With on-failure it depends on how a container ends when it is stopped: one that ends with 0 is left ended.
_RESTARTED_BY_DOCKER = frozenset({"always", "unless-stopped"})

_RUN_ON = frozenset({LiveRestore.ON, LiveRestore.PLANNED})
# What the probe says where a daemon that runs did not tell which containers do.
_NOT_SEEN = "docker-silent"


def comes_back(container: RunningContainer) -> bool:
    """Whether somebody starts the container again after the daemon's restart: Docker itself, or kubelet."""
    return container.kubernetes or container.restart_policy in _RESTARTED_BY_DOCKER


def disruption(state: NodeState, action: Action, after: Effective) -> tuple[LiveRestore, tuple[RunningContainer, ...]]:
    """Return how containers fare in a restart into `after`, and those that it stops."""
    if action is not Action.RESTART:
        return LiveRestore.NONE, ()
    if containers_outlive(state, after):
        return LiveRestore.ON, ()
    return LiveRestore.NONE, state.docker.containers if state.docker else ()


def are_containers_seen(plan: Plan) -> bool:
    """Whether dockerd told which containers run; the plan's warnings say where it did not."""
    return all(warning.code != _NOT_SEEN for warning in plan.warnings)


def objection_to_restart(plan: Plan) -> Problem | None:
    """Return why the restart wants consent: containers that nobody would start again, or that could not be seen.

    None where there are none, or where they run on. That they were not seen is told by the warnings of the plan.
    """
    if plan.action is not Action.RESTART:
        return None
    if plan.live_restore in _RUN_ON:
        return None
    if not are_containers_seen(plan):
        return Problem(
            code="containers-would-stop",
            message="which containers run could not be told, so what the restart stops is not known",
            hint=f"see why docker is slow or silent: harbor-agent explain {_NOT_SEEN}; or --accept-restart",
        )
    gone = [container.name for container in plan.containers_bounced if not comes_back(container)]
    if not gone:
        return None
    keep = "--live-restore keeps them running; or " if plan.live_restore is LiveRestore.POSSIBLE else ""
    return Problem(
        code="containers-would-stop",
        message=f"the restart would stop what nothing starts again: {', '.join(gone)}",
        hint=f"{keep}--accept-restart, or first give a restart policy: docker update --restart unless-stopped NAME",
    )

"""What a restart of the daemon does to the containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import Problem
from agent.model.plan import Action

if TYPE_CHECKING:
    from agent.model.plan import Plan
    from agent.model.state import Container

# docs.docker.com "Start containers automatically": on-failure "doesn't restart the container if the daemon restarts".
_RESTARTED_BY_DOCKER = frozenset({"always", "unless-stopped"})


def comes_back(container: Container) -> bool:
    """Whether somebody starts the container again after the daemon's restart: Docker itself, or kubelet."""
    return container.kubernetes or container.restart_policy in _RESTARTED_BY_DOCKER


def objection_to_restart(plan: Plan) -> Problem | None:
    """Return why the restart wants consent: the containers that nobody would start again; None where there are none."""
    if plan.action is not Action.RESTART:
        return None
    gone = [container.name for container in plan.containers_bounced if not comes_back(container)]
    if not gone:
        return None
    return Problem(
        code="containers-would-stop",
        message=f"the restart would stop what nothing starts again: {', '.join(gone)}",
        hint="--accept-restart, or first give a restart policy: docker update --restart unless-stopped NAME",
    )

"""Which restarts need the operator's consent, for any runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, LiveRestore

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan

_KEEPS_RUNNING = frozenset({LiveRestore.ON, LiveRestore.PLANNED})


def find_objection_to_restart(plan: Plan) -> Problem | None:
    """Return why a restart needs consent, None if it does not.

    It applies edits that the running daemon has not read, or it stops containers that are not started again, or that
    were not listed.
    """
    if plan.activation.action is not Action.RESTART:
        return None
    containers = _find_objection_of_containers(plan)
    if not plan.latent_edits:
        return containers
    message = f"the restart would also apply edits that the running daemon has not read: {'; '.join(plan.latent_edits)}"
    return Problem(
        code="latent-edit",
        message=f"{message}; {containers.message}" if containers else message,
        hint="check that the daemon starts with these edits, because a rollback does not undo them; then add"
        " --accept-restart",
    )


def _find_objection_of_containers(plan: Plan) -> Problem | None:
    activation = plan.activation
    if activation.live_restore in _KEEPS_RUNNING:
        return None
    if not plan.containers_seen:
        return Problem(
            code="containers-would-stop",
            message="the containers that run could not be listed, so it is not known which ones the restart stops",
            hint=f"find out why the runtime does not answer: harbor-agent explain {plan.runtime}-silent;"
            " or add --accept-restart",
        )
    if activation.kill_mode:
        return Problem(
            code="containers-would-stop",
            message=f"{activation.unit} has KillMode={activation.kill_mode}: the restart would kill the processes of"
            f" all {len(activation.stops)} containers",
            hint="set KillMode=process for the unit, as its package does; or add --accept-restart",
        )
    lost = [container.name for container in activation.stops if not container.comes_back]
    if not lost:
        return None
    keep = "add --live-restore to keep them running; or " if activation.live_restore is LiveRestore.POSSIBLE else ""
    return Problem(
        code="containers-would-stop",
        message=f"the restart would stop containers that are not started again: {', '.join(lost)}",
        hint=f"{keep}add --accept-restart; or give the containers a restart policy first",
    )

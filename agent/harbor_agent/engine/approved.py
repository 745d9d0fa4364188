"""Write down what was planned, and later do just that or refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.file import Moment, enforce_approval, load_plan, make_plan, require_fresh, save_plan
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.errors import UsageError
from harbor_agent.planning.config.digest import request_digest

if TYPE_CHECKING:
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.request.request import RunRequest


def save_run(run_plan: RunPlan, path: str, *, hours: float) -> None:
    """Write what was planned to a plan file. Raises UsageError where that is not possible."""
    save_plan(path, make_plan(run_plan.request, run_plan.nodes, request_digest=_wish(run_plan), hours=hours))


def approved_run(path: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Plan again what a plan file holds, and refuse every node that is no longer just as it was approved.

    Of `overrides` only the password and the note count. Raises UsageError where the file is no plan, has expired,
    or the settings have changed since.
    """
    plan = load_plan(path)
    require_fresh(path, plan, Moment.now())
    flags = replace(plan.request.flags, password=overrides.flags.password)
    request = replace(plan.request, flags=flags, note=overrides.note or plan.request.note)
    run_plan = plan_run(request, listener)
    if _wish(run_plan) != plan.request_digest:
        message = f"the settings have changed since {path} was made"
        raise UsageError.of("plan-stale", message, "plan again, and look at the new plan")
    return replace(run_plan, nodes=tuple(enforce_approval(plan, run_plan.nodes)))


def _wish(run_plan: RunPlan) -> str:
    return request_digest(run_plan.general, repair=run_plan.request.repair)

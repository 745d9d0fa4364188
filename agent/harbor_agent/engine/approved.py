"""Write down what was planned, and later do just that or refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.file import Moment, hold_to, load_plan, make_plan, require_fresh, save_plan
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.errors import UsageError
from harbor_agent.planning.config.digest import wish_digest

if TYPE_CHECKING:
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.run_plan import Fleet
    from harbor_agent.engine.request.request import Asked


def save_run(fleet: Fleet, path: str, *, hours: float) -> None:
    """Write what was planned to a plan file. Raises UsageError where that is not possible."""
    save_plan(path, make_plan(fleet.asked, fleet.nodes, wish_digest=_wish(fleet), hours=hours))


def approved_run(path: str, now_asked: Asked, listener: Listener) -> Fleet:
    """Plan again what a plan file holds, and refuse every node that is no longer just as it was approved.

    Of `now_asked` only the password and the note count. Raises UsageError where the file is no plan, has expired,
    or the settings have changed since.
    """
    plan = load_plan(path)
    require_fresh(path, plan, Moment.now())
    flags = replace(plan.asked.flags, password=now_asked.flags.password)
    asked = replace(plan.asked, flags=flags, note=now_asked.note or plan.asked.note)
    fleet = plan_run(asked, listener)
    if _wish(fleet) != plan.wish_digest:
        message = f"the settings have changed since {path} was made"
        raise UsageError.of("plan-stale", message, "plan again, and look at the new plan")
    return replace(fleet, nodes=tuple(hold_to(plan, fleet.nodes)))


def _wish(fleet: Fleet) -> str:
    return wish_digest(fleet.general, repair=fleet.asked.repair)

"""What is asked of one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.policy import RouteChoice

if TYPE_CHECKING:
    from harbor_agent.model.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """The registries that must be trusted and those that must not, and how far the planner may go.

    `repair` allows what revives dead settings or deletes somebody's key. `live_restore` asks that containers outlive a
    restart, for which it may be switched on.
    """

    present: tuple[Address, ...] = ()
    absent: tuple[Address, ...] = ()
    route: RouteChoice = RouteChoice.AUTO
    repair: bool = False
    live_restore: bool = False

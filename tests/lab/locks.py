"""The lock of an inventory, which tests hold or spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.history.lock import find_lock_file
from harbor_agent.engine.plan.fleet import load_fleet
from harbor_agent.engine.request.request import NodeSelection

if TYPE_CHECKING:
    from pathlib import Path


def name_lock(inventory: Path) -> str:
    """Return the name of the lock in the state folder of any user."""
    fleet = load_fleet(NodeSelection(sources=(str(inventory),)), lambda _: None)
    return find_lock_file(fleet.scope.inventory.digest).name

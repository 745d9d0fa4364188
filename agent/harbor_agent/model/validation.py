"""What a registry said when it was asked whether a login can pull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer to "can this login pull from this registry".

    `problem` is what makes the answer no; None means yes. `notes` are worth knowing either way (a proxy was
    used, tokens come from another host, Harbor says that it is unhealthy).
    """

    address: Address
    problem: Problem | None = None
    notes: tuple[Problem, ...] = ()

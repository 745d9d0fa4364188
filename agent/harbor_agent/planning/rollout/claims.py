"""Which runs may change one cluster at the same time: arithmetic on the claims that its lock holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harbor_agent.model.runs import Claim


def find_obstacle(claims: Iterable[Claim], own: Claim, dead: Collection[str]) -> Claim | None:
    """Return the first claim beside which `own` may not run; those of the runs in `dead` do not count."""
    others = (claim for claim in claims if claim.run_id != own.run_id and claim.run_id not in dead)
    return next((one for one in others if one.rollout != own.rollout or one.shard == own.shard), None)


def add_claim(claims: Iterable[Claim], own: Claim, dead: Collection[str] = ()) -> tuple[Claim, ...]:
    """Return the claims with `own` in its newest state, without those of the runs in `dead`."""
    return (*(claim for claim in claims if claim.run_id != own.run_id and claim.run_id not in dead), own)


def remove_claim(claims: Iterable[Claim], run_id: str) -> tuple[Claim, ...]:
    """Return the claims without that of a run."""
    return tuple(claim for claim in claims if claim.run_id != run_id)

"""Who may hold the lock of a cluster beside whom."""

from __future__ import annotations

import pytest

from harbor_agent.model.runs import Claim
from harbor_agent.planning.rollout.claims import add_claim, find_obstacle, remove_claim


def claim(run: str, rollout: str = "", shard: str = "") -> Claim:
    return Claim(run_id=run, holder=f"ops@{run}", rollout=rollout or run, shard=shard, renewed="now")


OWN = claim("own", "canary of 3", "2/3")


@pytest.mark.parametrize(
    ("other", "is_obstacle"),
    [
        (claim("other"), True),
        (claim("other", "canary of 3", "1/3"), False),
        (claim("other", "canary of 3", "2/3"), True),
        (claim("other", "another of 3", "1/3"), True),
        (OWN, False),
    ],
)
def test_only_another_shard_of_the_same_rollout_is_no_obstacle(other: Claim, *, is_obstacle: bool) -> None:
    assert find_obstacle([other], OWN, ()) == (other if is_obstacle else None)
    assert find_obstacle([other], OWN, {other.run_id}) is None


def test_claims_are_added_replaced_and_removed() -> None:
    one, two = claim("one"), claim("two")
    assert add_claim([one], two) == (one, two)
    assert add_claim([one, two], one, dead={"two"}) == (one,)
    assert remove_claim([one, two], "one") == (two,)
    assert str(OWN) == "ops@own (run own, shard 2/3)"

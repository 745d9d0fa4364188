"""The age of a plan is not moved by a clock that is set."""

from __future__ import annotations

import pytest

from harbor_agent.local.clock import Moment


@pytest.mark.parametrize("clock", [0.0, 1_000_000.0, 1_086_400.0])
def test_within_one_boot_only_uptime_counts(clock: float) -> None:
    made = Moment(unix_time=1_000_000.0, boot_id="a", uptime=100.0)
    assert Moment(unix_time=clock, boot_id="a", uptime=160.0).seconds_since(made) == 60.0


def test_across_boots_the_clock_counts_and_never_backwards() -> None:
    made = Moment(unix_time=1_000.0, boot_id="a", uptime=100.0)
    assert Moment(unix_time=1_060.0, boot_id="b", uptime=5.0).seconds_since(made) == 60.0
    assert Moment(unix_time=900.0, boot_id="b", uptime=5.0).seconds_since(made) == 0.0

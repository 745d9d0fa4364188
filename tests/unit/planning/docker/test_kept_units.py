"""The planner expects of each kept unit what systemd was recorded to do with it (tests/oracle/kept.yaml)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.oracle.case import predicted
from tests.oracle.kept import KEPT

if TYPE_CHECKING:
    from tests.oracle.kept import Kept


@pytest.mark.parametrize(
    ("kept", "version"),
    [pytest.param(kept, version, id=f"{kept.about} ({version})") for kept in KEPT for version in kept.versions],
)
def test_unit_is_read_as_systemd_reads_it(kept: Kept, version: str) -> None:
    outcome, words = predicted(kept.case.numbered(1), 1, version)
    assert kept.matches(outcome, 1), (outcome, words)

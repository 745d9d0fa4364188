"""The controller and its fleet, booted once for both modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.schedule.controller import booted_controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.schedule.controller import Controller


@pytest.fixture(scope="package")
def controller() -> Iterator[Controller]:
    with booted_controller() as controller:
        yield controller

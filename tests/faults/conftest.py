"""One place for all tests: they leave its nodes whole, which is what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.place import booted_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.place import FaultSite


@pytest.fixture(scope="package")
def site() -> Iterator[FaultSite]:
    with booted_site() as site:
        yield site

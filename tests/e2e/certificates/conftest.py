"""The nodes, booted once for both modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.certificates.place import booted_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.certificates.place import Secure


@pytest.fixture(scope="package")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    with booted_nodes(tmp_path_factory.mktemp("secure")) as secure:
        yield secure

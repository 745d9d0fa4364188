"""Nodes of each version of containerd, started once for all tests of the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import running_site
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    """Nodes with config_path, one for each version, and then as many with the file of Debian's package."""
    count = len(CONTAINERD_VERSIONS)
    shapes = (*("containerd-kubespray",) * count, *("containerd",) * count)
    with running_site(shapes=shapes, suites=tuple(CONTAINERD_VERSIONS)) as site:
        for node in site.lab.nodes:
            cri.import_images(node)
            cri.start_pod(node, "web")
        yield site

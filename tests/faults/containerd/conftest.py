"""One lab for all tests of the folder; each of them begins with the nodes as they were at first, and a pod on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import booted_site, start_pods
from tests.faults.controller import Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with booted_site() as site:
        yield site


@pytest.fixture
def order(site: Site) -> Iterator[Order]:
    """One change of every node, which is rolled back when the test ends."""
    nodes = site.lab.nodes
    for node in nodes:
        start_pods(node)
    before = [site.files(node) for node in nodes]
    order = Order(site=site, nodes=nodes)
    yield order
    if any(site.files(node) != files for node, files in zip(nodes, before, strict=True)):
        undone = site.agent("rollback", "--pristine", "-i", site.lab.write_inventory(), "--yes", "--accept-restart")
        assert undone.code == 0, undone.stdout + undone.stderr
    left = {node.name: sorted(site.files(node) ^ files) for node, files in zip(nodes, before, strict=True)}
    assert left == {node.name: [] for node in nodes}

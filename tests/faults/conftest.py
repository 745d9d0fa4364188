"""Three nodes that are changed by a restart, a restart and a reload, and the registry that proves every run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER, Site
from tests.faults.failpoint import install
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode


def settled(site: Site, *nodes: LabNode) -> None:
    """Make freshly booted nodes what the tests start from: a container runs, the proving registry is configured."""
    for node in nodes:
        node.wait_ready()
        install(node)
        node.load_image("busybox:lab", busybox_root(node.base))
        node.start_container("web", "busybox:lab", restart="always")
    inventory = site.lab.write_inventory("settled.ini", nodes=nodes)
    ended = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--yes")
    assert ended.code == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(shapes=("docker.io", "kubespray", "docker-ce")))
        registry = stack.enter_context(
            running_registry(
                lab.folder / "registry",
                authentication="token",
                logins=[PULLER],
                host=lab.address,
                port=5000,
                prefix=lab.network.inside(()),
            )
        )
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        site = Site(lab=lab, registry=registry)
        settled(site, *lab.nodes)
        yield site

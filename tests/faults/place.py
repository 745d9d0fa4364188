"""Three nodes that are changed by a restart, a restart and a reload, and the registry that proves every run."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.e2e.site import IMAGE, PULLER, Site
from tests.faults.failpoint import install
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def booted_site() -> Iterator[Site]:
    """Boot everything; on each node a container runs and the proving registry is configured, as tests start from."""
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
        image = busybox_root(lab.nodes[0].base)
        registry.push(*IMAGE.split(":"), root=image)
        for node in lab.nodes:
            install(node)
            node.load_image("busybox:lab", image)
            node.start_container("web", "busybox:lab", restart="always")
        site = Site(lab=lab, registry=registry)
        inventory = lab.write_inventory("booted.ini")
        ended = site.agent("apply", "-i", inventory, "--registry", registry.entry, "--yes")
        assert ended.code == 0, ended.stdout + ended.stderr
        yield site

"""Nodes of two generations, changed by a restart, a restart and a reload, and the registry that proves every run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.site import Site, running_site
from tests.faults.failpoint import install
from tests.lab.images import busybox_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

_SHAPES = ("docker.io", "kubespray", "docker-ce")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSite(Site):
    """`nodes` are Debian 12 (systemd 252, dockerd 20.10), `later` the same shapes on Debian 13 (257, 26.1)."""

    @property
    def later(self) -> tuple[LabNode, ...]:
        """The nodes of the later generation: docker.io, kubespray, docker-ce."""
        return self.lab.nodes[len(_SHAPES) :]

    @property
    def all_nodes(self) -> tuple[LabNode, ...]:
        """Both generations."""
        return self.lab.nodes


@contextmanager
def booted_site() -> Iterator[FaultSite]:
    """Boot everything; on each node a container runs and the proving registry is configured, as tests start from."""
    suites = (*["bookworm"] * len(_SHAPES), *["trixie"] * len(_SHAPES))
    with running_site(shapes=_SHAPES * 2, suites=suites) as running:
        lab, registry = running.lab, running.registry
        images = {base: busybox_root(base) for base in {node.base for node in lab.nodes}}
        for node in lab.nodes:
            install(node)
            node.load_image("busybox:lab", images[node.base])
            node.start_container("web", "busybox:lab", restart="always")
        site = FaultSite(lab=lab, registry=registry)
        ended = site.agent("apply", "-i", lab.write_inventory("booted.ini"), "--registry", registry.entry, "--yes")
        assert ended.code == 0, ended.stdout + ended.stderr
        yield site

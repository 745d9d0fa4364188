"""Real nodes, a registry that wants a login and a real API server, each started once."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER, Site
from tests.lab.apiserver import running_apiserver
from tests.lab.forward import forwarded
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry
from tests.needs import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    """The data centre, once for all tests."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(shapes=("docker.io", "kubespray", "docker-ce", "no-docker")))
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
        yield Site(lab=lab, registry=registry)


@pytest.fixture(scope="module")
def fresh_site(site: Site) -> Site:
    """The data centre, its nodes as they were first booted."""
    for node in site.nodes:
        node.renew()
    for node in site.nodes:
        node.wait_ready()
    return site


@pytest.fixture(scope="package")
def apiserver(site: Site) -> Iterator[RunningApiServer | None]:
    """An API server that the controller reaches under the address in its kubeconfig; None where there is none."""
    if missing("apiserver"):
        yield None
        return
    with running_apiserver(site.lab.folder / "apiserver") as server, forwarded(site.lab.name, server.port):
        yield server

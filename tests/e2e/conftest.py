"""Real nodes, a registry that wants a login and a real API server, each started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import running_site
from tests.lab.apiserver import running_apiserver
from tests.lab.forward import forwarded
from tests.needs import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.apiserver import RunningApiServer


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    """The data centre, once for all tests."""
    with running_site(shapes=("docker.io", "kubespray", "docker-ce", "no-docker")) as site:
        yield site


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

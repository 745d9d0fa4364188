"""Nodes with containerd: they pull over CRI, and pods outlive a restart, on each version that the tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(shapes=("containerd-kubespray",) * 3, suites=tuple(CONTAINERD_VERSIONS)) as lab:
        yield lab


@pytest.fixture(params=CONTAINERD_VERSIONS)
def node(request: pytest.FixtureRequest, lab: Lab) -> LabNode:
    return lab.nodes[list(CONTAINERD_VERSIONS).index(request.param)]


def test_the_version_is_the_one_that_is_meant(lab: Lab) -> None:
    for node, version in zip(lab.nodes, CONTAINERD_VERSIONS.values(), strict=True):
        assert f" {version}." in node.run("containerd --version").stdout


def test_a_plain_registry_is_refused_until_hosts_toml_names_it(lab: Lab, node: LabNode) -> None:
    inside = lab.network.inside(())
    folder = lab.folder / f"registry-{node.name}"
    with running_registry(folder, host=lab.address, port=5000 + node.number, prefix=inside) as registry:
        registry.push("lab/box", root=busybox_root(node.base))
        image = f"{registry.entry}/lab/box:latest"
        with pytest.raises(cri.CriError, match="server gave HTTP response to HTTPS client"):
            cri.pull(node, image)
        folder = f"/etc/containerd/certs.d/{registry.entry}"
        text = f'server = "{registry.url}"\n[host."{registry.url}"]\n  capabilities = ["pull", "resolve"]\n'
        node.run(f"mkdir {folder} && cat >{folder}/hosts.toml", stdin=text.encode())
        cri.pull(node, image)


def test_a_pod_outlives_a_restart(node: LabNode) -> None:
    cri.import_images(node)
    identity = cri.start_pod(node, "web")
    before = cri.list_processes(node)
    assert identity in before
    node.run("systemctl restart containerd")
    node.wait_ready()
    assert cri.list_processes(node) == before

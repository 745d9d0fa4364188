"""The next releases of Docker and systemd take the same change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, Site
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]


def test_debian_13_nodes_are_changed_and_left_alone_the_second_time(tmp_path: Path) -> None:
    shapes = ("docker.io", "docker-ce", "kubekey")
    with (
        Lab(shapes=shapes, suites=("trixie",)) as lab,
        running_registry(tmp_path, host=lab.address, port=5000, prefix=lab.network.inside(())) as registry,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        site = Site(lab=lab, registry=registry)
        run = ("-i", lab.write_inventory(), "--registry", registry.entry, "--verify-image", IMAGE)
        applied = site.agent("apply", *run, "--yes", "-o", "json")
        assert applied.code == 0, applied.stderr
        assert [(node["outcome"], node["verified"]) for node in applied.document["nodes"]] == [("changed", True)] * 3
        for node in lab.nodes:
            node.run(f"docker pull {site.image}")
        again = site.agent("plan", *run, "--exit-code")
        assert again.code == 0, again.stdout

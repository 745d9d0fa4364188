"""What the tests of this folder share: how the agent is run, and what is compared on a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.lab import cri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.site import Ended, Site
    from tests.lab.files import Files
    from tests.lab.node import LabNode

LOGIN = (PULLER.name, PULLER.password)


def run(site: Site, *arguments: str, nodes: Sequence[LabNode] | None = None) -> Ended:
    """Run harbor-agent with the inventory of these nodes, else of all, and the settings of the site."""
    return site.run(*arguments, nodes=nodes)


def list_everything(site: Site, node: LabNode) -> tuple[Files, str]:
    """The files of the node, and containerd's directories: an empty one keeps containerd from reading _default."""
    return site.files(node), node.run("find /etc/containerd -type d | sort").stdout


def assert_no_node_pulls(site: Site) -> None:
    for node in site.lab.nodes:
        with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
            cri.pull(node, site.image, LOGIN)

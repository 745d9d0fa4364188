"""A node whose containerd serves an older version of CRI only is changed and proven as one that serves v1."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.containerd.place import list_everything, run
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.old_cri_stand_in import old_cri

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("served", ["v1", "v1alpha2"])
def test_a_node_is_changed_and_proven_over_the_cri_that_it_serves(site: Site, served: str) -> None:
    """containerd 1.6: one node for which hosts.toml suffices, and one that is restarted."""
    with_config_path, without = site.lab.nodes[0], site.lab.nodes[len(CONTAINERD_VERSIONS)]
    nodes = (with_config_path, without)
    with ExitStack() as stack:
        if served == "v1alpha2":
            for node in nodes:
                stack.enter_context(old_cri(node))
                with pytest.raises(cri.CriError, match=r"status 12: unknown service runtime\.v1\."):
                    cri.pull(node, site.image)
        before = [list_everything(site, node) for node in nodes]
        planned = run(site, "plan", "-o", "json", nodes=nodes)
        assert [node["action"] for node in planned.document["nodes"]] == ["none", "restart"], planned.stdout
        applied = run(site, "apply", "--yes", "-o", "json", nodes=nodes)
        found = [(node["outcome"], node["code"], node["verified"]) for node in applied.document["nodes"]]
        assert found == [("changed", None, True)] * 2, applied.stdout
        # The probe asks over CRI too, and sees what is in effect.
        again = run(site, "drift", "-o", "json", nodes=nodes)
        assert [node["status"] for node in again.document["nodes"]] == ["in_sync"] * 2, again.stdout
        assert run(site, "verify", nodes=nodes).code == 0
        assert run(site, "rollback", "--pristine", "--yes", nodes=nodes).code == 0
        assert [list_everything(site, node) for node in nodes] == before

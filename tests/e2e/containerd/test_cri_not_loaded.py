"""A node whose containerd is active while its CRI plugin is not loaded, on each version: what each command does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.containerd.place import LOGIN, list_everything, run
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

_CONFIG = "/etc/containerd/config.toml"
_WITHOUT_SNAPSHOTTER = f"sed -i 's/snapshotter = .*/snapshotter = \"absent\"/' {_CONFIG}"
_WITH_MIRRORS = (
    f'cat >>{_CONFIG} <<"E"\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors.h]\nendpoint = ["http://h"]\nE'
)
_IS_LOADED = "ctr plugins ls | grep -q '^io.containerd.grpc.v1 *cri .* ok'"
_STARTED = "systemctl show containerd -p ActiveState -p ExecMainStartTimestampMonotonic"


@contextmanager
def _broken(nodes: Sequence[LabNode], command: str) -> Iterator[None]:
    """Keep CRI from loading while the block runs: `command` breaks the configuration."""
    for node in nodes:
        node.run(f"cp -p {_CONFIG} /root/whole.toml; {command}\nsystemctl restart containerd")
        assert node.succeeds(f"systemctl is-active containerd && ! {_IS_LOADED}")
    try:
        yield
    finally:
        for node in nodes:
            node.run(f"mv /root/whole.toml {_CONFIG}; systemctl restart containerd")
            node.wait_ready()


def test_a_node_without_cri_is_refused_by_each_command_and_left_alone(site: Site) -> None:
    nodes = site.lab.nodes[: len(CONTAINERD_VERSIONS)]
    pods = [cri.list_processes(node) for node in nodes]
    assert all(pods)

    def list_codes(command: str, *arguments: str) -> set[str]:
        ended = run(site, command, *arguments, "-o", "json", nodes=nodes)
        assert all('"absent"' in node["reason"].replace("\\", "") for node in ended.document["nodes"]), ended.stdout
        return {node["code"] for node in ended.document["nodes"]}

    with _broken(nodes, _WITHOUT_SNAPSHOTTER):
        before = [(list_everything(site, node), node.run(_STARTED).stdout) for node in nodes]
        assert list_codes("plan") == list_codes("apply", "--yes") == list_codes("verify") == {"cri-not-loaded"}
        assert [(list_everything(site, node), node.run(_STARTED).stdout) for node in nodes] == before

    applied = run(site, "apply", "--yes", nodes=nodes)
    assert applied.code == 0, applied.stdout
    with _broken(nodes, _WITHOUT_SNAPSHOTTER):
        assert list_codes("verify") == {"cri-not-loaded"}
        drifted = run(site, "drift", nodes=nodes)
        assert drifted.code == 3
        assert "has not loaded its CRI plugin" in drifted.stdout
        assert "[cri-not-loaded]" in drifted.stdout
        assert "'systemctl restart containerd.service'" in drifted.stdout
        refused = run(site, "drift", "--correct", "--max-drifted", "100%", "--yes", nodes=nodes)
        assert (refused.code, refused.stdout.count("[cri-not-loaded]")) == (5, len(nodes)), refused.stdout
    assert run(site, "verify", nodes=nodes).code == 0
    assert run(site, "rollback", "--pristine", "--yes", nodes=nodes).code == 0
    assert [cri.list_processes(node) for node in nodes] == pods


def test_a_repair_loads_cri_again(site: Site) -> None:
    nodes = site.lab.nodes[: len(CONTAINERD_VERSIONS)]
    pods = [cri.list_processes(node) for node in nodes]
    with _broken(nodes, _WITH_MIRRORS):
        folders = {node.name: list_everything(site, node)[1] for node in nodes}
        refused = run(site, "apply", "--yes", "-o", "json", nodes=nodes)
        assert {node["code"] for node in refused.document["nodes"]} == {"runtime-config-conflict"}
        repaired = run(site, "apply", "--yes", "--repair", "-o", "json", nodes=nodes)
        found = [(node["outcome"], node["code"], node["verified"]) for node in repaired.document["nodes"]]
        assert found == [("changed", None, True)] * len(nodes), repaired.stdout
        for node in nodes:
            assert node.succeeds(_IS_LOADED)
            cri.pull(node, site.image, LOGIN)
            cri.remove_image(node, site.image)
        # With the earlier files CRI would not load, so they are not restored.
        refused = run(site, "rollback", "--pristine", "--yes", "-o", "json", nodes=nodes)
        assert {node["code"] for node in refused.document["nodes"]} == {"runtime-config-conflict"}
        removal = ("apply", "-i", site.lab.write_inventory(nodes=nodes), "--registry", site.registry.entry, "--absent")
        removed = site.agent(*removal, "--yes")
        assert removed.code == 0, removed.stdout
        assert all(node.succeeds(_IS_LOADED) for node in nodes)
        for node in nodes:
            node.run("rm -r /etc/containerd/certs.d/h")
            assert list_everything(site, node)[1] == folders[node.name]
    assert [cri.list_processes(node) for node in nodes] == pods
    for node in nodes:
        # The whole file came back by hand, and a later `rollback --pristine` would restore the one with mirrors.
        node.run("rm -r /var/lib/harbor-agent")

"""Which DNS servers kubelet gives its pods, as the program reads them on a node with a stand-in for kubelet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.kubelet import PodDns
from harbor_agent.node.wire import programs as wire
from tests.node.test_kubelet import stand_in

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")


def look(world: World) -> PodDns | None:
    return wire.decode_cluster_dns(world.run(wire.build_cluster_dns_program()))


def read(world: World) -> tuple[str, ...] | None:
    found = look(world)
    return found.servers if found else None


def test_a_node_without_kubelet_has_none(world: World) -> None:
    assert read(world) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "x:\n  y: 1\nclusterDNS:\n- 10.96.0.10\n- fd00::a\nclusterDomain: x\n",
            ("10.96.0.10", "fd00::a"),
        ),
        ("# clusterDNS: no\nclusterDNS: ['10.96.0.10']  # ours\n", ("10.96.0.10",)),
        ('{"kind": "K", "clusterDNS": ["10.96.0.10"], "x": ["1.1.1.1"]}', ("10.96.0.10",)),
        ('{\n  "clusterDNS": [\n    "10.96.0.10"\n  ],\n  "clusterDomain": "x"\n}\n', ("10.96.0.10",)),
        ("kind: KubeletConfiguration\n", ()),
    ],
    ids=["kubeadm", "flow", "json", "pretty json", "none"],
)
def test_the_file_of_kubelet(world: World, text: str, found: tuple[str, ...]) -> None:
    config = world.root / "kubelet.yaml"
    config.write_text(text)
    with stand_in(world, "kubelet", f"--config={config}"):
        assert read(world) == found


def test_a_drop_in_goes_over_the_file_and_an_option_over_both(world: World) -> None:
    config, drop_ins = world.root / "kubelet.yaml", world.root / "kubelet.d"
    drop_ins.mkdir()
    config.write_text("clusterDNS:\n- 10.96.0.10\n")
    (drop_ins / "10.conf").write_text("clusterDNS: [169.254.25.10]\n")
    words = ("--config", str(config), "--config-dir", str(drop_ins))
    with stand_in(world, "kubelet", *words):
        assert read(world) == ("169.254.25.10",)
    with stand_in(world, "kubelet", *words, "--cluster-dns=10.0.0.10,10.0.0.11"):
        assert read(world) == ("10.0.0.10", "10.0.0.11")


def test_the_nameservers_of_pods_with_the_dns_of_the_node(world: World) -> None:
    config, other, third = (world.root / name for name in ("kubelet.yaml", "other.conf", "third.conf"))
    other.write_text("# no\nsearch lan\nnameserver 10.0.0.53\nnameserver\tfd00::35\n")
    third.write_text("")
    config.write_text(f'clusterDNS: [10.96.0.10]\nresolvConf: "{other}"\n')
    with stand_in(world, "kubelet", f"--config={config}"):
        assert look(world) == PodDns(servers=("10.96.0.10",), nameservers=("10.0.0.53", "fd00::35"))
    with stand_in(world, "kubelet", f"--config={config}", f"--resolv-conf={third}"):
        assert look(world) == PodDns(servers=("10.96.0.10",), nameservers=())

"""Node lists of other tools: the message says whose file it is and how to make an inventory of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from tests.unit.inventory.loading import Write

pytestmark = pytest.mark.field("13")
K0SCTL = """\
apiVersion: k0sctl.k0sproject.io/v1beta1
kind: Cluster
spec:
  hosts:
  - ssh: {address: 10.0.0.1, user: root}
    role: controller
"""
SEALOS = """\
apiVersion: apps.sealos.io/v1beta1
kind: Cluster
spec:
  hosts:
  - ips: ["192.168.0.2:22", "192.168.0.3:22"]
    roles: [master]
"""
SEALOS_3 = "masters:\n- 192.168.0.2:22\nnodes:\n- 192.168.0.3:22\n"
NODES = '{"apiVersion": "v1", "kind": "List", "items": [{"status": {"addresses": [{"address": "10.0.0.1"}]}}]}'
STATE = '{"desiredState": {"rkeConfig": {"nodes": [{"address": "10.0.0.1"}]}}}'


@pytest.mark.parametrize(
    ("name", "text", "owner", "addresses"),
    [
        ("k0sctl.yaml", K0SCTL, "a file of k0sctl (kind Cluster)", "-i '10.0.0.1,'"),
        ("Clusterfile", SEALOS, "a file of sealos (kind Cluster)", "-i '192.168.0.2:22,192.168.0.3:22,'"),
        ("Clusterfile", "\ufeff" + SEALOS, "a file of sealos (kind Cluster)", "-i '192.168.0.2:22,192.168.0.3:22,'"),
        ("config.yaml", SEALOS_3, "a file of sealos 3", "-i '192.168.0.2:22,192.168.0.3:22,'"),
        ("kubeadm.yaml", "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n", "a file of kubeadm", "-i '"),
        ("nodes.json", NODES, "a Kubernetes object (apiVersion v1, kind List)", "-i '10.0.0.1,'"),
        ("cluster.rkestate", STATE, "the state file of RKE", "-i '10.0.0.1,'"),
        ("admin.conf", "apiVersion: v1\nkind: Config\n", "a Kubernetes object (apiVersion v1, kind Config)", "-i '"),
    ],
)
def test_a_file_is_refused_by_the_name_of_its_tool(
    write: Write, name: str, text: str, owner: str, addresses: str
) -> None:
    path = write(name, text)

    problem = refusal(path)

    assert problem.code == "inventory-foreign"
    assert problem.message.startswith(f"{path}: {owner}")
    assert problem.message.endswith(", not an inventory")
    assert addresses in problem.hint


def test_the_hosts_file_of_kubeasz_is_an_inventory(write: Write) -> None:
    text = (
        "[etcd]\n192.168.1.1\n[kube_master]\n192.168.1.1 k8s_nodename='master-01'\n[kube_node]\n192.168.1.3\n[harbor]\n"
    )

    nodes = load_inventory([write("hosts", text)])

    assert [(node.name, node.groups) for node in nodes] == [
        ("192.168.1.1", ("etcd", "kube_master")),
        ("192.168.1.3", ("kube_node",)),
    ]

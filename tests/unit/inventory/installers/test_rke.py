"""RKE's cluster.yml as an inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import ansible_sources, load_inventory
from harbor_agent.planning.rollout.waves import is_control_plane
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from tests.unit.inventory.loading import Write

pytestmark = pytest.mark.field("13")
CLUSTER = """\
# RKE
nodes:
- address: 10.99.0.12
  port: "2222"
  role: [controlplane, worker, etcd]
  user: rancher
  docker_socket: /var/run/docker.sock
- address: 10.99.0.13
  internal_address: 192.168.0.13
  hostname_override: worker-1
  role:
  - worker
  user: ops
  ssh_key_path: ~/.ssh/worker
services: {}
ssh_key_path: ~/.ssh/cluster
private_registries:
  - url: 192.168.0.99
"""


def test_nodes_are_reached_as_rke_reaches_them(write: Write) -> None:
    first, second = load_inventory([write("cluster.yml", CLUSTER)])

    assert (first.name, first.address, first.port, first.user) == ("10.99.0.12", "10.99.0.12", 2222, "rancher")
    assert first.private_key_file == "~/.ssh/cluster"
    assert is_control_plane(first)
    assert (second.name, second.address, second.port, second.user) == ("worker-1", "10.99.0.13", None, "ops")
    assert second.private_key_file == "~/.ssh/worker"
    assert second.groups == ("worker",)
    assert not is_control_plane(second)


def test_nodes_are_reached_through_the_bastion_host(write: Write) -> None:
    plain = write("cluster.yml", CLUSTER + "bastion_host: {address: 1.2.3.4, user: jump, port: 22}\n")
    with_key = write("keyed.yml", CLUSTER + "bastion_host: {address: 1.2.3.4, user: jump, ssh_key_path: /keys/b}\n")

    assert {node.ssh_common_args for node in load_inventory([plain])} == {"-J jump@1.2.3.4:22"}
    (arguments,) = {node.ssh_common_args for node in load_inventory([with_key])}
    assert "ProxyCommand=ssh -o BatchMode=yes -i /keys/b -l jump -W" in arguments


def test_a_group_called_nodes_is_an_inventory_of_ansible(write: Write) -> None:
    text = "nodes:\n  hosts:\n    node1: {ansible_host: 10.0.0.1, role: worker, address: x}\n"

    assert [node.address for node in load_inventory([write("hosts.yml", text)])] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("- address: 10.99.0.13\n  internal", "- internal", "nodes[1] has no address"),
        ("  user: ops\n", "", "nodes[1] has no user"),
        (
            "hostname_override: worker-1",
            "hostname_override: 10.99.0.12",
            "nodes names 10.99.0.12 twice (10.99.0.12 and",
        ),
        ("ssh_key_path: ~/.ssh/worker", "ssh_key: geheim", "inline private key"),
        ("  user: ops\n", "  user: ops\n  user: root\n", "cluster.yml:14: the key user is set twice"),
        ("# RKE", "# \x07", "cluster.yml:1: control character"),
    ],
)
def test_an_error_names_its_place(write: Write, before: str, after: str, part: str) -> None:
    problem = refusal(write("cluster.yml", CLUSTER.replace(before, after)))

    assert problem.code == "inventory-unparsable"
    assert part in problem.message
    assert "geheim" not in str(problem)


def test_the_file_is_refused_for_ansible(write: Write) -> None:
    with pytest.raises(UsageError, match="is an RKE file, which Ansible cannot read"):
        ansible_sources([write("cluster.yml", CLUSTER)])

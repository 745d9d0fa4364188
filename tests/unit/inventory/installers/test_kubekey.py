"""KubeKey files as inventories: hosts, their connections as in KubeKey, and roles as groups."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import ansible_sources, load_inventory
from harbor_agent.model.policy import Rollout
from harbor_agent.planning.rollout.waves import is_control_plane, split_into_waves

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node

CLUSTER = """\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
metadata:
  name: sample
spec:
  hosts:
  - {name: node1, address: 172.16.0.2, internalAddress: 10.0.0.2, user: ubuntu, password: "Qcloud{{@123}}", arch: arm64}
  - {name: node2, address: 172.16.0.3, internalAddress: 10.0.0.3, port: 8022, password: 123456}
  - {name: node3, internalAddress: 10.0.0.4, user: ops, privateKeyPath: "~/.ssh/cluster"}
  - {name: node4, address: 172.16.0.5}
  roleGroups:
    etcd:
    - node1
    ROLE:
    - node[1:2]
    worker:
    - node[2:4]
    registry:
  controlPlaneEndpoint:
    domain: lb.kubesphere.local
    port: 6443
---
apiVersion: installer.kubesphere.io/v1alpha1
kind: ClusterConfiguration
metadata:
  name: ks-installer
"""

INVENTORY = """\
apiVersion: kubekey.kubesphere.io/v1
kind: Inventory
metadata:
  name: default
spec:
  vars:
    connector: {user: ops, private_key: /keys/all}
    harbor_registries: [harbor.lan]
  hosts:
    node1:
      connector: {type: ssh, host: 192.168.1.10, port: 2222, user: root, password: 123456}
      internal_ipv4: 10.0.0.10
    node2:
      connector: {host: 192.168.1.11, password: sudo-and-login}
      harbor_skip: being rebuilt
    node3:
  groups:
    k8s_cluster:
      groups: [kube_control_plane, kube_worker]
    kube_control_plane:
      hosts: [node1]
    kube_worker:
      hosts: [node2, node3]
      vars:
        connector: {private_key: /keys/workers}
        harbor_route: drop-in
    etcd:
      hosts: [node1]
"""


def nodes_of(folder: Path, text: str, *, limit: str | None = None) -> dict[str, Node]:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return {node.name: node for node in load_inventory([str(file)], limit=limit)}


def refusal(folder: Path, text: str) -> Problem:
    with pytest.raises(UsageError) as caught:
        nodes_of(folder, text)
    return caught.value.problem


class TestCluster:
    def test_hosts_are_reached_as_kubekey_reaches_them(self, tmp_path: Path) -> None:
        nodes = nodes_of(tmp_path, CLUSTER)

        assert list(nodes) == ["node1", "node2", "node3", "node4"]
        assert [node.address for node in nodes.values()] == ["172.16.0.2", "172.16.0.3", "10.0.0.4", "172.16.0.5"]
        assert [node.port for node in nodes.values()] == [None, 8022, None, None]
        assert [node.user for node in nodes.values()] == ["ubuntu", "root", "ops", "root"]
        assert nodes["node3"].private_key_file == "~/.ssh/cluster"
        assert [node.password and node.password.reveal() for node in nodes.values()] == [
            "Qcloud{{@123}}",
            "123456",
            None,
            None,
        ]

    def test_users_other_than_root_use_sudo_with_the_login_password(self, tmp_path: Path) -> None:
        nodes = nodes_of(tmp_path, CLUSTER)

        ways = {name: node.become for name, node in nodes.items()}
        assert (ways["node2"], ways["node4"]) == (None, None)
        assert ways["node1"] is not None
        assert ways["node1"].password is not None
        assert (ways["node1"].method, ways["node1"].password.reveal()) == ("sudo", "Qcloud{{@123}}")
        assert ways["node3"] is not None
        assert ways["node3"].password is None

    @pytest.mark.parametrize("role", ["master", "control-plane"])
    def test_roles_are_groups_and_the_control_plane_is_last_and_one_at_a_time(self, tmp_path: Path, role: str) -> None:
        nodes = nodes_of(tmp_path, CLUSTER.replace("ROLE", role))

        assert set(nodes["node1"].groups) == {"etcd", role}
        assert [name for name, node in nodes.items() if is_control_plane(node)] == ["node1", "node2"]
        order = split_into_waves(list(nodes.values()), Rollout(canary=0, batch=5))
        assert [[node.name for node in wave] for wave in order] == [["node3", "node4"], ["node1"], ["node2"]]

    def test_limit_and_group_vars_work_as_for_ansible(self, tmp_path: Path) -> None:
        (tmp_path / "group_vars").mkdir()
        (tmp_path / "group_vars/worker.yml").write_text("harbor_route: drop-in\n", encoding="utf-8")

        nodes = nodes_of(tmp_path, CLUSTER, limit="worker:!node3")

        assert list(nodes) == ["node2", "node4"]
        assert nodes["node4"].variables == {"harbor_route": "drop-in"}

    def test_a_file_can_be_combined_with_other_inventories(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(CLUSTER, encoding="utf-8")
        more = tmp_path / "more"
        more.write_text("node1 harbor_skip=yes\nnode9\n", encoding="utf-8")

        nodes = {node.name: node for node in load_inventory([str(file), str(more)])}

        assert set(nodes) == {"node1", "node2", "node3", "node4", "node9"}
        assert nodes["node1"].skip_reason

    @pytest.mark.parametrize(
        ("before", "after", "part"),
        [
            ("- node[2:4]", "- node[2:5]", "spec.roleGroups.worker has node5, which is not in spec.hosts"),
            ("{name: node4, address: 172.16.0.5}", "{name: node4}", "host node4 has neither address"),
            ("{name: node4, address: 172.16.0.5}", "{address: 172.16.0.5}", "spec.hosts[3] has no name"),
            ("{name: node4, address: 172.16.0.5}", "node4", "spec.hosts[3] must be a mapping"),
            ("172.16.0.5}", "172.16.0.5, privateKey: geheim}", "host node4 has an inline private key"),
            ("    - node1\n    ROLE", "    - node1\n   ROLE", "config.yaml:"),
            ("kind: Cluster\n", "kind: Config\n", "kind Config has no hosts"),
            pytest.param(
                "name: node4, address",
                "name: node2, address",
                "spec.hosts names node2 twice (172.16.0.3 and 172.16.0.5)",
                marks=pytest.mark.field("11"),
            ),
            ("{name: node4,", "{name: node4, name: node5,", "config.yaml:10: the key name is set twice"),
            ("password: 123456", "password: [1]", "password of host node2 must be text"),
            ("- node[2:4]", "- node[2:999999]", "worker has node[2:999999], which is more than"),
            ("- node[2:4]", "- [node2]", "spec.roleGroups.worker must be a list of names"),
        ],
    )
    def test_an_error_names_its_place(self, tmp_path: Path, before: str, after: str, part: str) -> None:
        problem = refusal(tmp_path, CLUSTER.replace(before, after))

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(str(tmp_path / "config.yaml"))
        assert part in problem.message
        assert problem.hint
        assert "geheim" not in str(problem)


class TestInventory:
    def test_connectors_of_all_hosts_of_groups_and_of_a_host_add_up(self, tmp_path: Path) -> None:
        node1, node2, node3 = nodes_of(tmp_path, INVENTORY).values()

        assert (node1.address, node1.port, node1.user) == ("192.168.1.10", 2222, "root")
        assert node1.private_key_file == "/keys/all"
        assert node1.password is not None
        assert node1.password.reveal() == "123456"
        assert node1.become is None
        assert node2.skip_reason == "being rebuilt"
        assert (node3.address, node3.user, node3.private_key_file) == ("node3", "ops", "/keys/workers")
        assert node3.become is not None

    def test_subgroups_and_harbor_variables(self, tmp_path: Path) -> None:
        nodes = nodes_of(tmp_path, INVENTORY)

        assert [name for name, node in nodes.items() if is_control_plane(node)] == ["node1"]
        assert set(nodes["node3"].groups) == {"k8s_cluster", "kube_worker"}
        assert nodes["node1"].variables == {"harbor_registries": ["harbor.lan"]}
        assert nodes["node3"].variables == {"harbor_registries": ["harbor.lan"], "harbor_route": "drop-in"}

    def test_this_machine_is_local(self, tmp_path: Path) -> None:
        text = (
            "apiVersion: kubekey.kubesphere.io/v1\nkind: Inventory\nspec:\n  hosts:\n"
            f"    {socket.gethostname()}x:\n      connector: {{host: 127.0.0.1}}\n"
            "    there:\n      connector: {host: 192.0.2.1}\n"
            "  groups:\n    kube_control_plane:\n      hosts: [localhost]\n"
        )

        nodes = nodes_of(tmp_path, text)

        (here,) = [node for node in nodes.values() if node.connection == "local"]
        assert {here.name, *here.aliases} == {"localhost", f"{socket.gethostname()}x"}
        assert nodes["there"].connection == "ssh"

    @pytest.mark.parametrize(
        ("before", "after", "code", "part"),
        [
            ("[node2, node3]", "[node2, node7]", "inventory-unparsable", "has node7, which is not in spec.hosts"),
            ("type: ssh", "type: kubernetes", "inventory-variable-invalid", "kubernetes"),
            ("password: 123456", "private_key_content: geheim", "inventory-unparsable", "private_key_content"),
            ("    node2:\n", "    node1:\n", "inventory-unparsable", "the key node1 is set twice"),
            ("groups: [kube_control", "groups: [k8s_cluster, kube_control", "inventory-unparsable", "config.yaml: "),
        ],
    )
    def test_an_error_names_its_place(self, tmp_path: Path, before: str, after: str, code: str, part: str) -> None:
        problem = refusal(tmp_path, INVENTORY.replace(before, after))

        assert problem.code == code
        assert part in problem.message
        assert "geheim" not in str(problem)


def test_a_kubekey_file_is_refused_for_ansible(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CLUSTER, encoding="utf-8")

    with pytest.raises(UsageError) as refused:
        ansible_sources([str(path)])

    assert refused.value.problem.code == "inventory-not-ansible"
    assert "--transport ssh" in refused.value.problem.hint

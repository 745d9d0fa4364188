"""Inventories in the forms that operators have, `--limit`, and inventories without hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Node
    from tests.unit.inventory.loading import Write

ROOT = Path(__file__).parents[3]


def names(nodes: list[Node]) -> list[str]:
    return [node.name for node in nodes]


class TestForms:
    def test_ini_with_ranges_children_and_variables(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "[kube_control_plane]\nc1 ansible_host=10.0.0.1\n[kube_node]\nw[01:03]\n"
            "[cluster:children]\nkube_control_plane\nkube_node\n[cluster:vars]\nansible_user=ops\n",
        )

        nodes = load_inventory([hosts])

        assert names(nodes) == ["c1", "w01", "w02", "w03"]
        assert [node.address for node in nodes] == ["10.0.0.1", "w01", "w02", "w03"]
        assert {node.user for node in nodes} == {"ops"}
        assert set(nodes[0].groups) == {"kube_control_plane", "cluster"}

    def test_yaml(self, write: Write) -> None:
        hosts = write("hosts.yml", "all:\n  children:\n    kube_node:\n      hosts:\n        a: {ansible_port: 2222}\n")

        (node,) = load_inventory([hosts])

        assert (node.name, node.port, node.groups) == ("a", 2222, ("kube_node",))

    def test_a_list_of_hosts(self) -> None:
        nodes = load_inventory(["b,a:2222,"])

        assert [(node.name, node.port) for node in nodes] == [("b", None), ("a", 2222)]

    def test_a_directory_and_several_sources(self, write: Write, tmp_path: Path) -> None:
        write("site/01-first", "[kube_node]\na\n")
        write("site/02-second.yml", "kube_node:\n  hosts:\n    b:\n")
        write("site/group_vars/kube_node.yml", "ansible_user: ops\n")
        more = write("more", "[kube_node]\nc\n")

        nodes = load_inventory([str(tmp_path / "site"), more])

        assert [(node.name, node.user) for node in nodes] == [("a", "ops"), ("b", "ops"), ("c", "ops")]

    def test_variables_beside_the_inventory_and_templates(self, write: Write) -> None:
        hosts = write("hosts", "[kube_node]\na\nb\n")
        write("group_vars/all.yml", 'net: 10.1.2\nansible_host: "{{ net }}.{{ last }}"\nlast: 1\n')
        write("host_vars/b/main.yml", "last: 2\nharbor_registries: [harbor.lan]\n")

        first, second = load_inventory([hosts])

        assert (first.address, second.address) == ("10.1.2.1", "10.1.2.2")
        assert second.variables == {"harbor_registries": ["harbor.lan"]}

    def test_a_relative_path(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write("hosts", "a\n")
        monkeypatch.chdir(tmp_path)

        assert names(load_inventory(["hosts"])) == ["a"]

    def test_the_example_is_an_inventory(self) -> None:
        nodes = load_inventory([str(ROOT / "inventory.example")])

        assert names(nodes)[:3] == ["control1", "control2", "control3"]
        assert {"kube_control_plane", "etcd", "k8s_cluster"} <= set(nodes[0].groups)
        assert [node.name for node in nodes if node.skip_reason] == ["worker99"]


class TestLimit:
    @pytest.fixture
    def hosts(self, write: Write) -> str:
        return write("hosts", "[kube_control_plane]\nc1\n[kube_node]\nw1\nw2\nw3\n")

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [
            ("w2", ["w2"]),
            ("kube_node", ["w1", "w2", "w3"]),
            ("kube_node:!w2", ["w1", "w3"]),
            ("kube_node,!w*", []),
            ("w*", ["w1", "w2", "w3"]),
            ("kube_node[0]", ["w1"]),
            ("kube_node[1:]", ["w2", "w3"]),
            ("~[cw]1", ["c1", "w1"]),
            ("all:&kube_control_plane", ["c1"]),
            ("!kube_node", ["c1"]),
        ],
    )
    def test_patterns_are_those_of_ansible(self, hosts: str, limit: str, expected: list[str]) -> None:
        if expected:
            assert names(load_inventory([hosts], limit=limit)) == expected
        else:
            assert refusal(hosts, limit=limit).code == "limit-matches-nothing"

    def test_a_file_of_names(self, hosts: str, write: Write) -> None:
        assert names(load_inventory([hosts], limit="@" + write("retry", "w3\nw1\n"))) == ["w3", "w1"]

    def test_an_unknown_name_is_an_error_with_a_suggestion(self, hosts: str) -> None:
        problem = refusal(hosts, limit="w1,kube_nodes")

        assert problem.code == "limit-unknown-name"
        assert "kube_nodes" in problem.message
        assert "kube_node" in problem.hint

    @pytest.mark.parametrize(
        ("limit", "code"),
        [
            ("x*", "limit-matches-nothing"),
            ("kube_node[9]", "limit-matches-nothing"),
            ("@absent", "limit-file-unreadable"),
            ("localhost", "limit-unknown-name"),
        ],
    )
    def test_selecting_nothing_is_an_error(self, hosts: str, limit: str, code: str) -> None:
        assert refusal(hosts, limit=limit).code == code


class TestMissing:
    def test_a_source_that_is_missing(self, tmp_path: Path) -> None:
        problem = refusal(str(tmp_path / "absent"))

        assert problem.code == "inventory-missing"
        assert str(tmp_path / "absent") in problem.message

    def test_a_name_without_a_comma_gets_a_hint(self) -> None:
        assert "'node1,'" in refusal("node1").hint

    @pytest.mark.parametrize("text", ["", "# nothing\n", "[kube_node]\n"])
    def test_an_inventory_without_hosts(self, write: Write, text: str) -> None:
        assert refusal(write("hosts", text)).code == "inventory-empty"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts", "[kube_node]\na ansible_host=10.0.0.1\na ansible_host=10.0.0.2\n"),
        ("hosts", "[all]\na ansible_host=10.0.0.1\n[kube_node]\na ansible_host=10.0.0.2\n"),
        (
            "hosts.yml",
            "all:\n  hosts: {a: {ansible_host: 10.0.0.1}}\n  children: {w: {hosts: {a: {ansible_host: 10.0.0.2}}}}\n",
        ),
    ],
)
def test_two_addresses_of_one_host_in_a_file_are_an_error(write: Write, name: str, text: str) -> None:
    problem = refusal(write(name, text))
    assert problem.code == "inventory-variable-invalid"
    assert "host a has more than one ansible_host: 10.0.0.1, 10.0.0.2" in problem.message


def test_an_address_may_be_repeated_and_replaced_by_a_later_file(write: Write) -> None:
    first = write("hosts", "[all]\na ansible_host=10.0.0.1\n[kube_node]\na ansible_host=10.0.0.1\n")
    second = write("later", "a ansible_host=10.0.0.2\n")
    (node,) = load_inventory([first, second])
    assert node.address == "10.0.0.2"

"""Names of one machine are one node, with the groups and reasons of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from harbor_agent.planning.rollout.waves import is_control_plane

if TYPE_CHECKING:
    from tests.unit.inventory.loading import Write


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("ansible_host: 10.0.0.1", "ansible_host: 10.0.0.1", 1),
        ("ansible_host: 10.0.0.1", "{ansible_host: 10.0.0.1, ansible_port: 22}", 1),
        ("ansible_host: 10.0.0.1", "{ansible_host: 10.0.0.1, ansible_port: 2222}", 2),
        ("ansible_host: Node.lan", "ansible_host: node.LAN", 1),
        ("ansible_host: 'fd00::1'", "ansible_host: 'fd00:0::0001'", 1),
        ("ansible_connection: local", "ansible_connection: local", 1),
        (
            "{ansible_host: 10.0.0.1, ansible_ssh_common_args: -J east}",
            "{ansible_host: 10.0.0.1, ansible_ssh_common_args: -J west}",
            2,
        ),
        ("{ansible_host: 10.0.0.1, harbor_skip: rebuilt}", "ansible_host: 10.0.0.1", 1),
    ],
)
def test_one_machine_is_one_node_with_both_names(write: Write, one: str, other: str, count: int) -> None:
    def host(text: str) -> str:
        return text if text.startswith("{") else f"{{{text}}}"

    nodes = load_inventory([write("hosts.yml", f"all:\n  hosts:\n    a: {host(one)}\n    b: {host(other)}\n")])

    assert len(nodes) == count
    assert [name for node in nodes for name in (node.name, *node.aliases)] == ["a", "b"]
    assert not ("skip" in one and nodes[0].skip_reason is None)


def test_groups_and_variables_of_all_names_add_up(write: Write) -> None:
    hosts = write(
        "hosts",
        "[kube_control_plane]\nc1 ansible_host=10.0.0.1\n[kube_node]\nw1 ansible_host=10.0.0.1 harbor_route=auto\n"
        "w2 ansible_host=10.0.0.1 ansible_port=2222\n",
    )

    nodes = load_inventory([hosts])

    assert [(node.name, node.aliases) for node in nodes] == [("c1", ("w1",)), ("w2", ())]
    assert nodes[0].groups == ("kube_control_plane", "kube_node")
    assert nodes[0].variables == {"harbor_route": "auto"}


def test_names_that_a_limit_excludes_still_add_their_groups_and_reasons(write: Write) -> None:
    hosts = write(
        "hosts",
        "[kube_control_plane]\nc1 ansible_host=10.0.0.1\nc2 ansible_host=10.0.0.2 harbor_skip=rebuilt\n"
        "c3 ansible_host='{{ nowhere }}'\n"
        "[kube_node]\nw1 ansible_host=10.0.0.1\nw2 ansible_host=10.0.0.2\nw3 ansible_host=10.0.0.3\n",
    )

    nodes = load_inventory([hosts], limit="kube_node")

    assert [node.name for node in nodes] == ["w1", "w2", "w3"]
    assert [node.aliases for node in nodes] == [("c1",), ("c2",), ()]
    assert [is_control_plane(node) for node in nodes] == [True, True, False]
    assert [node.skip_reason for node in nodes] == [None, "rebuilt", None]

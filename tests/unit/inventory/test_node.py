"""The fields of a node: its connection, its variables, and errors in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from tests.unit.inventory.loading import Write


class TestConnection:
    def test_every_connection_variable_becomes_a_field(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "a ansible_host=10.0.0.1 ansible_port=22 ansible_user=u ansible_ssh_pass=p1 ansible_become=yes"
            " ansible_become_pass=p2 ansible_ssh_private_key_file=~/.ssh/k ansible_ssh_common_args='-o X=y'\n",
        )

        (node,) = load_inventory([hosts])

        assert (node.address, node.port, node.user, node.private_key_file) == ("10.0.0.1", 22, "u", "~/.ssh/k")
        assert node.ssh_common_args == "-o X=y"
        assert node.password is not None
        assert node.password.reveal() == "p1"
        assert node.become is not None
        assert node.become.password is not None
        assert (node.become.method, node.become.password.reveal()) == ("sudo", "p2")
        assert "p1" not in repr(node)
        assert "p2" not in repr(node)

    def test_an_address_may_name_its_user_as_for_ssh(self, write: Write) -> None:
        hosts = write("hosts", "a ansible_host=ops@10.0.0.1\nb ansible_host=ops@10.0.0.2 ansible_user=root\n")

        nodes = load_inventory([hosts, "ops@10.0.0.3,"])

        assert [(node.address, node.user) for node in nodes] == [
            ("10.0.0.1", "ops"),
            ("10.0.0.2", "root"),
            ("10.0.0.3", "ops"),
        ]

    def test_a_become_password_alone_is_enough(self, write: Write) -> None:
        with_password, without = load_inventory(
            [write("hosts", "a ansible_become_password=p\nb ansible_become=false ansible_become_password=p\n")]
        )

        assert with_password.become is not None
        assert without.become is None

    def test_a_local_node(self, write: Write) -> None:
        (node,) = load_inventory([write("hosts", "here ansible_connection=local\n")])

        assert node.connection == "local"

    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("a ansible_port=70000", "ansible_port"),
            ("a ansible_port=ssh", "ansible_port"),
            ("a ansible_host=10.0.0.1:2222", "10.0.0.1:2222"),
            ("a ansible_host=[fd00::1]:2222", "[fd00::1]:2222"),
            ("a ansible_connection=winrm", "winrm"),
            ("a ansible_become_method=doas", "doas"),
            ('a ansible_host="{{ nowhere }}"', "ansible_host"),
        ],
    )
    def test_an_invalid_value_names_host_and_variable(self, write: Write, line: str, part: str) -> None:
        problem = refusal(write("hosts", line + "\n"))

        assert problem.code == "inventory-variable-invalid"
        assert "host a" in problem.message
        assert part in problem.message


class TestSkip:
    def test_a_skipped_node_has_a_reason(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "a harbor_skip='being rebuilt' ansible_connection=winrm\nb harbor_skip=false\nc harbor_skip=yes\n",
        )

        nodes = load_inventory([hosts])

        assert [node.skip_reason for node in nodes] == ["being rebuilt", None, "harbor_skip is set"]

    def test_the_other_variables_of_a_skipped_host_may_be_invalid(self, write: Write) -> None:
        hosts = write(
            "hosts.yml",
            "all:\n  hosts:\n    a: {harbor_skip: not there yet, ansible_host: '{{ nowhere }}', ansible_port: many}\n",
        )

        (node,) = load_inventory([hosts])

        assert (node.address, node.skip_reason) == ("a", "not there yet")


class TestTemplates:
    def test_variables_that_are_not_read_may_be_undefined(self, write: Write) -> None:
        hosts = write(
            "hosts.yml",
            "all:\n  hosts:\n    a:\n      ansible_python_interpreter: '{{ nowhere }}'\n"
            "      harbor_admin_password: '{{ nowhere }}'\n      ansible_su_pass: '{{ nowhere }}'\n",
        )

        (node,) = load_inventory([hosts])

        assert node.variables == {}

    def test_an_undefined_variable_is_reported_with_host_variable_and_expression(self, write: Write) -> None:
        problem = refusal(write("hosts.yml", "all:\n  hosts:\n    a: {ansible_host: '{{ net }}.11'}\n"))

        assert problem.code == "inventory-variable-invalid"
        assert problem.message == (
            "host a: cannot evaluate the variable ansible_host ({{ net }}.11): 'net' is undefined"
        )

    @pytest.mark.parametrize("name", ["ansible_password", "ansible_become_password", "ansible_sudo_pass"])
    def test_the_expression_of_a_password_is_not_shown(self, write: Write, name: str) -> None:
        hosts = write("hosts.yml", f'all:\n  hosts:\n    a: {{{name}: "geheim{{{{ net }}}}", ansible_become: yes}}\n')

        problem = refusal(hosts)

        assert name in problem.message
        assert "'net' is undefined" in problem.message
        assert "geheim" not in str(problem)

    def test_facts_are_not_known(self, write: Write) -> None:
        problem = refusal(
            write("hosts.yml", "all:\n  hosts:\n    a: {ansible_host: '{{ ansible_facts.default_ipv4.address }}'}\n")
        )

        assert problem.code == "inventory-variable-invalid"

    def test_variables_of_other_hosts_are_known(self, write: Write) -> None:
        hosts = write(
            "hosts.yml",
            "all:\n  vars: {net: 10.0.0, ansible_host: '{{ net }}.{{ number }}'}\n  hosts:\n    a: {number: 1}\n"
            "    b: {number: 2, ansible_ssh_common_args: \"-J {{ hostvars['a'].ansible_host }}\"}\n",
        )

        nodes = load_inventory([hosts])

        assert nodes[1].ssh_common_args == "-J 10.0.0.1"

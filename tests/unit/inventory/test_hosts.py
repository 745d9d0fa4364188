"""Which machines an inventory means, which of their variables count, and what is said of scripts and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import load_inventory
from harbor_agent.planning.rollout.waves import is_control_plane

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node


def load(folder: Path, text: str, *more: str) -> list[Node]:
    file = folder / "hosts.yml"
    file.write_text(text, encoding="utf-8")
    return load_inventory([str(file), *more])


def refusal(folder: Path, text: str, *more: str) -> Problem:
    with pytest.raises(UsageError) as caught:
        load(folder, text, *more)
    return caught.value.problem


class TestMachines:
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
    def test_one_machine_is_one_node_with_both_names(self, tmp_path: Path, one: str, other: str, count: int) -> None:
        def host(text: str) -> str:
            return text if text.startswith("{") else f"{{{text}}}"

        nodes = load(tmp_path, f"all:\n  hosts:\n    a: {host(one)}\n    b: {host(other)}\n")

        assert len(nodes) == count
        assert [name for node in nodes for name in (node.name, *node.aliases)] == ["a", "b"]
        assert not ("skip" in one and nodes[0].skip_reason is None)

    def test_a_limit_does_not_hide_what_a_machine_is_under_its_other_name(self, tmp_path: Path) -> None:
        file = tmp_path / "hosts"
        file.write_text(
            "[kube_control_plane]\nc1 ansible_host=10.0.0.1\nc2 ansible_host=10.0.0.2 harbor_skip=rebuilt\n"
            "c3 ansible_host='{{ nowhere }}'\n"
            "[kube_node]\nw1 ansible_host=10.0.0.1\nw2 ansible_host=10.0.0.2\nw3 ansible_host=10.0.0.3\n",
            encoding="utf-8",
        )

        nodes = load_inventory([str(file)], limit="kube_node")

        assert [node.name for node in nodes] == ["w1", "w2", "w3"]
        assert [node.aliases for node in nodes] == [("c1",), ("c2",), ()]
        assert [is_control_plane(node) for node in nodes] == [True, True, False]
        assert [node.skip_reason for node in nodes] == [None, "rebuilt", None]


class TestVariables:
    def test_what_is_not_asked_for_need_not_be_defined(self, tmp_path: Path) -> None:
        (node,) = load(
            tmp_path,
            "all:\n  hosts:\n    a:\n      ansible_python_interpreter: '{{ nowhere }}'\n"
            "      harbor_admin_password: '{{ nowhere }}'\n      ansible_su_pass: '{{ nowhere }}'\n",
        )

        assert node.variables == {}

    def test_a_host_that_is_skipped_may_be_half_written(self, tmp_path: Path) -> None:
        (node,) = load(
            tmp_path,
            "all:\n  hosts:\n    a: {harbor_skip: not there yet, ansible_host: '{{ nowhere }}', ansible_port: many}\n",
        )

        assert (node.address, node.skip_reason) == ("a", "not there yet")

    def test_what_is_not_defined_is_named_with_host_variable_and_expression(self, tmp_path: Path) -> None:
        problem = refusal(tmp_path, "all:\n  hosts:\n    a: {ansible_host: '{{ net }}.11'}\n")

        assert problem.code == "inventory-variable-invalid"
        assert problem.message == (
            "host a: cannot evaluate the variable ansible_host ({{ net }}.11): 'net' is undefined"
        )

    @pytest.mark.parametrize("name", ["ansible_password", "ansible_become_password", "ansible_sudo_pass"])
    def test_the_expression_of_a_password_is_not_shown(self, tmp_path: Path, name: str) -> None:
        problem = refusal(tmp_path, f'all:\n  hosts:\n    a: {{{name}: "geheim{{{{ net }}}}", ansible_become: yes}}\n')

        assert name in problem.message
        assert "'net' is undefined" in problem.message
        assert "geheim" not in str(problem)

    def test_a_fact_is_not_known_before_anything_is_gathered(self, tmp_path: Path) -> None:
        problem = refusal(
            tmp_path, "all:\n  hosts:\n    a: {ansible_host: '{{ ansible_facts.default_ipv4.address }}'}\n"
        )

        assert problem.code == "inventory-variable-invalid"

    def test_other_hosts_variables_are_known(self, tmp_path: Path) -> None:
        nodes = load(
            tmp_path,
            "all:\n  vars: {net: 10.0.0, ansible_host: '{{ net }}.{{ number }}'}\n  hosts:\n    a: {number: 1}\n"
            "    b: {number: 2, ansible_ssh_common_args: \"-J {{ hostvars['a'].ansible_host }}\"}\n",
        )

        assert nodes[1].ssh_common_args == "-J 10.0.0.1"


class TestScriptsAndPlugins:
    def script(self, folder: Path, text: str) -> str:
        file = folder / "cloud"
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
        return str(file)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("echo fetching; echo no credentials for the cloud >&2; exit 3", "code 3: no credentials for the cloud"),
            ("echo geheim is no JSON", "could not be parsed as JSON"),
            ('echo \'{"a": {"hosts": "x"}}\'', "hosts"),
        ],
    )
    def test_a_script_that_fails_is_named_with_what_it_said(self, tmp_path: Path, text: str, part: str) -> None:
        script = self.script(tmp_path, text)

        problem = refusal(tmp_path, "all:\n  hosts:\n    a:\n", script)

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(f"{script}: ")
        assert part in problem.message
        assert "geheim" not in str(problem)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("plugin: ansible.builtin.constructed\nstrict: true\ncompose: {x: nowhere.y}\n", "'nowhere' is undefined"),
            ("plugin: no.such.plugin\n", "no.such.plugin"),
        ],
    )
    def test_a_plugin_that_fails_says_why(self, tmp_path: Path, text: str, part: str) -> None:
        (tmp_path / "zz.yml").write_text(text, encoding="utf-8")

        problem = refusal(tmp_path, "all:\n  hosts:\n    a:\n", str(tmp_path / "zz.yml"))

        assert problem.code == "inventory-unparsable"
        assert part in problem.message
